package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	v1 "github.com/specterd/specterd/internal/httpapi/v1"
	"github.com/specterd/specterd/internal/wallet"
)

func (p *program) walletDeviceCommand(user *string) *cobra.Command {
	cmd := &cobra.Command{
		Use: "device", Short: "List and rename signing devices",
		Long: `List and rename the signing devices of --user.

A device is created with the first wallet that has a key of it.`,
	}
	cmd.AddCommand(p.deviceListCommand(user), p.deviceRenameCommand(user))
	return cmd
}

func (p *program) deviceListCommand(user *string) *cobra.Command {
	return addJSON(&cobra.Command{
		Use: "list", Short: "List signing devices", Args: cobra.NoArgs,
		RunE: p.withWallets(user, false, func(cmd *cobra.Command, d *walletCommands, _ []string) error {
			devices, err := d.service.Devices(cmd.Context(), d.who)
			if err != nil {
				return err
			}
			return printRows(
				p, cmd, devices, v1.ShowDevice,
				col("DEVICE", func(d wallet.Device) string { return d.Alias }),
				col("NAME", func(d wallet.Device) string { return d.Name }),
				col("TYPE", func(d wallet.Device) string { return d.Type }),
			)
		}),
	})
}

func (p *program) deviceRenameCommand(user *string) *cobra.Command {
	return &cobra.Command{
		Use: "rename DEVICE NAME", Short: "Rename a signing device", Args: cobra.ExactArgs(2),
		Long: `Rename a signing device.

DEVICE is the alias of the device, which changes with the name: the name in lower case, with _
for spaces. All members of the wallets with a key of the device see it.`,
		Example: "  specterd wallet device rename 73c5da0a \"Ann's Coldcard\"",
		RunE: p.withWallets(user, false, func(cmd *cobra.Command, d *walletCommands, args []string) error {
			renamed, err := d.service.RenameDevice(cmd.Context(), d.who, args[0], args[1])
			if err != nil {
				return err
			}
			fmt.Fprintf(p.stdout, "The device is named %s now, with the alias %s.\n", renamed.Name, renamed.Alias)
			return nil
		}),
	}
}
