package console

import (
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/wallet"
	"github.com/specterd/specterd/internal/walletexport"
)

var walletSettingsRoutes = []route{
	{method: get, path: "/wallets/{alias}/settings", audience: users, role: auth.RoleViewer, handle: (*call).walletSettings},
	{method: post, path: "/wallets/{alias}/settings/alias", audience: users, role: auth.RoleViewer, handle: (*call).setAlias},
	{method: post, path: "/wallets/{alias}/settings/name", audience: users, role: auth.RoleOwner, handle: (*call).setName},
	{method: post, path: "/wallets/{alias}/settings/device", audience: users, role: auth.RoleViewer, handle: (*call).renameDevice},
	{method: post, path: "/wallets/{alias}/settings/limits", audience: users, role: auth.RoleOwner, handle: (*call).setLimits},
	{method: post, path: "/wallets/{alias}/settings/export", audience: users, role: auth.RoleViewer, proof: true, purpose: "To export %s, enter your password again.", stream: true, handle: (*call).exportWallet},
	{method: post, path: "/wallets/{alias}/settings/labels", audience: users, role: auth.RoleProposer, heavy: true, handle: (*call).importLabels},
	{method: get, path: "/wallets/{alias}/settings/sheet", audience: users, role: auth.RoleViewer, handle: (*call).backupSheet},
	{method: post, path: "/wallets/{alias}/settings/sheet", audience: users, role: auth.RoleViewer, proof: true, purpose: "To open the backup sheet of %s, enter your password again.", handle: (*call).openBackupSheet},
	{method: post, path: "/wallets/{alias}/settings/rescan", audience: users, role: auth.RoleOwner, handle: (*call).startRescan},
	{method: post, path: "/wallets/{alias}/settings/rescan/abort", audience: users, role: auth.RoleOwner, handle: (*call).abortRescan},
	{method: post, path: "/wallets/{alias}/settings/delete", audience: users, role: auth.RoleOwner, proof: true, purpose: "To delete the wallet %s, enter your password again.", handle: (*call).deleteWallet},
}

var walletSettingsNotices = map[string]string{
	"wallet-renamed": "The name was changed.",
	"alias-changed":  "The alias was changed. Scripts that use the old one no longer find the wallet.",
	"limits-changed": "The limits were changed.",
	"device-renamed": "The device has its new name in all of your wallets.",
	"rescan-started": "The rescan was requested. This page shows its progress.",
	"rescan-aborted": "The rescan was aborted. The transactions that it found stay in the history.",
	"wallet-deleted": "The wallet was deleted.",
}

// walletSettingsPage is the page of a wallet's settings.
type walletSettingsPage struct {
	Form       form
	Section    string // of the form that was sent; see the ids in the template
	Names      form
	Exports    []exportText
	Proven     bool // whether the password was entered in the last ten minutes
	MaxFeeRate btc.FeeRate
	Labels     *wallet.LabelImport // result of an import
	Members    int
	Adopted    bool
	Devices    []wallet.Key // keys of the user's own devices, one for each device
}

// exportText is a format of an export.
type exportText struct {
	Format  walletexport.Format
	Text    string
	Problem string // why the wallet cannot be exported in the format; empty if it can
}

// exportTexts describe the formats, in the order of the page.
var exportTexts = []exportText{
	{Format: walletexport.Descriptor, Text: "Output descriptor of both branches: Sparrow, Bitcoin Core and most other programs"},
	{Format: walletexport.BSMS, Text: "BSMS 1.0: Coldcard, Nunchuk, Keystone and others, with the first address"},
	{Format: walletexport.Coldcard, Text: "Coldcard multisig file: also Keystone, Passport, Jade and SeedSigner"},
	{Format: walletexport.Sparrow, Text: "Sparrow"},
	{Format: walletexport.Specter, Text: "Specter Desktop, with labels of addresses"},
	{Format: walletexport.AccountMap, Text: "Account map: Specter Desktop, Fully Noded and others"},
	{Format: walletexport.Caravan, Text: "Caravan"},
	{Format: walletexport.Policy, Text: "Wallet policy (BIP-388): Ledger, BitBox and others"},
	{Format: walletexport.CryptoOutput, Text: "Text of a QR code (crypto-output): Sparrow, and devices with a camera"},
	{Format: walletexport.Core, Text: "Bitcoin Core: argument of importdescriptors"},
	{Format: walletexport.Labels, Text: "All labels, and frozen UTXOs (BIP-329)"},
}

func (c *call) walletSettingsPage(section string, f *fault.Error) (walletSettingsPage, error) {
	v := c.view
	p := walletSettingsPage{
		Section: section, Form: c.newForm(f), Proven: c.session.ProvedWithin(c.Now()), MaxFeeRate: c.Proposals.MaxFeeRate(), Adopted: v.Adopted(),
	}
	stored := []string{"name", v.Name, "alias", v.Alias, "final_after", strconv.Itoa(v.FinalAfter), "max_fee_rate_sat_vb", ""}
	if v.MaxFeeRate > 0 {
		stored[len(stored)-1] = v.MaxFeeRate.String()
	}
	p.Names = c.formWith(stored...)
	if f != nil {
		for name, values := range c.form {
			p.Names.values[name] = values
		}
		p.Names.fault = f
	}
	for _, k := range v.Keys {
		isKnown := slices.ContainsFunc(p.Devices, func(other wallet.Key) bool { return other.Device == k.Device })
		if k.DeviceOwner == c.who.UserID && !isKnown {
			p.Devices = append(p.Devices, k)
		}
	}
	w := walletexport.Wallet{Details: wallet.Details{View: v}, Network: c.Wallets.Network()}
	for _, e := range exportTexts {
		if err := w.Check(e.Format); err != nil {
			e.Problem = c.look.T(err.Error())
		}
		p.Exports = append(p.Exports, e)
	}
	members, err := c.Wallets.Members(c.r.Context(), c.access)
	p.Members = len(members)
	return p, err
}

func (c *call) walletSettings() error {
	p, err := c.walletSettingsPage("", nil)
	if err != nil {
		return err
	}
	return c.render("wallet-settings", c.look.T("Settings"), p)
}

// refuseSettings shows the page with the problem of the form in a section.
func (c *call) refuseSettings(section string, err error) error {
	f, err := again(unwrapFault(err))
	if err != nil {
		return err
	}
	p, err := c.walletSettingsPage(section, f)
	if err != nil {
		return err
	}
	return c.renderAs(f, "wallet-settings", c.look.T("Settings"), p)
}

func (c *call) setAlias() error {
	alias := strings.TrimSpace(c.form.Get("alias"))
	v, err := c.Wallets.Rename(c.r.Context(), c.access, nil, &alias)
	if err != nil {
		return c.refuseSettings("alias", err)
	}
	return c.redirect(walletPath(v.Alias, "settings"), "alias-changed")
}

func (c *call) setName() error {
	name := strings.TrimSpace(c.form.Get("name"))
	if _, err := c.Wallets.Rename(c.r.Context(), c.access, &name, nil); err != nil {
		return c.refuseSettings("name", err)
	}
	return c.redirect(c.walletPath("settings"), "wallet-renamed")
}

// renameDevice changes the name of one of the user's devices.
func (c *call) renameDevice() error {
	_, err := c.Wallets.RenameDevice(c.r.Context(), c.who, c.form.Get("device"), strings.TrimSpace(c.form.Get("device_name")))
	if errors.Is(err, wallet.ErrDeviceNotFound) {
		err = fault.InvalidField("device", "is required: choose one of your devices")
	}
	if f, ok := errors.AsType[*fault.Error](err); ok && len(f.Fields) == 1 && f.Fields[0].Name == "name" {
		err = f.ForField("device_name")
	}
	if err != nil {
		return c.refuseSettings("device", err)
	}
	return c.redirect(c.walletPath("settings"), "device-renamed")
}

// setLimits sets the maximum fee rate and the number of confirmations. It checks both before it
// changes one.
func (c *call) setLimits() error {
	const feeField, finalField = "max_fee_rate_sat_vb", "final_after"
	var rate btc.FeeRate
	var feeErr, finalErr error
	if text := strings.TrimSpace(c.form.Get(feeField)); text != "" {
		if rate, feeErr = btc.ParseFeeRate(text); feeErr != nil {
			feeErr = fault.InvalidField(feeField, "must be a number of sat/vB, with a point and at most three decimals, or empty")
		} else {
			feeErr = c.Proposals.CheckMaxFeeRate(feeField, rate)
		}
	}
	confirmations, err := strconv.Atoi(strings.TrimSpace(c.form.Get(finalField)))
	if err != nil || confirmations < 1 || confirmations > wallet.MaxFinalAfter {
		finalErr = fault.InvalidField(finalField, "must be 1 to %d", wallet.MaxFinalAfter)
	}
	err = fault.JoinErrors(feeErr, finalErr)
	if err == nil {
		_, err = c.Wallets.SetMaxFeeRate(c.r.Context(), c.access, rate)
	}
	if err == nil {
		_, err = c.Wallets.SetFinalAfter(c.r.Context(), c.access, confirmations)
	}
	if err != nil {
		return c.refuseSettings("limits", err)
	}
	return c.redirect(c.walletPath("settings"), "limits-changed")
}

func (c *call) startRescan() error {
	from, err := c.birthdayOf("from")
	var addresses uint64
	var rangeErr error
	if text := strings.TrimSpace(c.form.Get("addresses")); text != "" {
		if addresses, rangeErr = strconv.ParseUint(text, 10, 32); rangeErr != nil || addresses == 0 {
			rangeErr = fault.InvalidField("addresses", "must be a number from 1 to 100000, or empty")
		}
	}
	if err = fault.JoinErrors(err, rangeErr); err == nil {
		_, err = c.Wallets.Rescan(c.r.Context(), c.access, from, uint32(addresses))
	}
	if err != nil {
		return c.refuseSettings("rescan", err)
	}
	return c.redirect(c.walletPath("settings"), "rescan-started")
}

func (c *call) abortRescan() error {
	if err := c.Wallets.StopRescan(c.r.Context(), c.access); err != nil {
		return c.refuseSettings("rescan", err)
	}
	return c.redirect(c.walletPath("settings"), "rescan-aborted")
}

func (c *call) deleteWallet() error {
	if strings.TrimSpace(c.form.Get("confirm")) != c.view.Name {
		return c.refuseSettings("delete", fault.InvalidField("confirm", "must be the name of the wallet; nothing was deleted").WithMessage("The name differs, so nothing was deleted."))
	}
	if err := c.Wallets.Delete(c.r.Context(), c.access, c.form.Get("files") == "delete"); err != nil {
		return c.refuseSettings("delete", err)
	}
	return c.redirect("/", "wallet-deleted")
}
