package cli

import (
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	api "github.com/specterd/specterd/api/v1"
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
		RunE: p.withAPI(user, false, func(cmd *cobra.Command, c *connection, _ []string) error {
			devices, err := collect(c.ListDevices(cmd.Context()))
			if err != nil {
				return err
			}
			return printRows(
				p, cmd, devices, itself,
				col("DEVICE", func(d api.Device) string { return d.Alias }),
				col("NAME", func(d api.Device) string { return d.Name }),
				col("TYPE", func(d api.Device) string { return d.Type }),
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
		RunE: p.withAPI(user, false, func(cmd *cobra.Command, c *connection, args []string) error {
			devices, err := collect(c.ListDevices(cmd.Context()))
			if err == nil && slices.ContainsFunc(devices, func(d api.Device) bool { return d.Alias == args[0] && d.Name == args[1] }) {
				fmt.Fprintf(p.stdout, "The device %s has this name already; nothing was changed.\n", args[0])
				return nil
			}
			renamed, err := c.ChangeDevice(cmd.Context(), args[0], api.ChangeDeviceRequest{Name: args[1]})
			if err != nil {
				return err
			}
			if renamed == nil { // the token may not read devices
				fmt.Fprintf(p.stdout, "The device is named %s now.\n", args[1])
				return nil
			}
			fmt.Fprintf(p.stdout, "The device is named %s now, with the alias %s.\n", renamed.Name, renamed.Alias)
			return nil
		}),
	}
}
