package console

import (
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/wallet"
	"github.com/specterd/specterd/internal/walletfile"
)

var newWalletRoutes = []route{
	{method: get, path: "/wallets/new", audience: users, handle: (*call).showNewWallet},
	{method: post, path: "/wallets/new", audience: users, heavy: true, handle: (*call).newWallet},
	{method: post, path: "/wallets/new/scan", audience: users, heavy: true, handle: (*call).scanKeys},
}

var newWalletNotices = map[string]string{
	"wallet-created": "The wallet was created.",
	"wallet-exists":  "You already have this wallet; this is its page. No other one was created.",
}

// newWalletPage is a step of creating a wallet. The forms contain the files, so that nothing is
// stored before the wallet is created.
type newWalletPage struct {
	Step    int // 1 keys, 2 check, 3 compare
	Form    form
	Files   []givenFile
	Signer  bool              // whether there are only keys of signers
	Private bool              // whether a private key was refused
	About   wallet.Inspection // from step 2 on
	Plan    wallet.Plan       // in step 3
	Devices []newDevice       // of the keys, from step 2 on
	Exists  string            // alias of the wallet that the user already has
	look    *look
}

func (c *call) newWalletPage(step int, f *fault.Error, files []givenFile) newWalletPage {
	return newWalletPage{Step: step, Form: c.newForm(f), Files: files, look: c.look}
}

func (c *call) showNewWallet() error { return c.showSource(c.newWalletPage(1, nil, nil)) }

// newWallet serves all steps; the button that was pressed has the name step.
func (c *call) newWallet() error {
	files, err := c.givenFiles()
	readable, readErr := c.readGiven(files)
	if errors.Is(readErr, errPrivateGiven) {
		err = nil // other problems would distract from it
	}
	p := c.newWalletPage(1, nil, readable)
	if c.form.Get("step") == "source" && readErr == nil {
		return c.showSource(p)
	}
	if err = fault.JoinErrors(readErr, err); err != nil {
		return c.refuseSource(p, err)
	}
	if c.form.Get("step") == "scanned" && len(readable) > 1 && strings.TrimSpace(c.form.Get("signatures_required")) == "" {
		p.Signer = true // the next device can be scanned before the number is stated
		return c.showSource(p)
	}
	plan, err := c.givenPlan(readable)
	if err == nil {
		p.About, err = c.Wallets.Inspect(c.r.Context(), c.who, plan)
	}
	switch {
	case err != nil:
		return c.refuseSource(p, err)
	case !p.About.IsWallet():
		p.Signer = true
		return c.showSource(p)
	}
	switch c.form.Get("step") {
	case "compare", "create":
		p.Devices, plan.DeviceNames = c.newDevices(p), c.deviceNames(len(p.About.Keys))
		return c.finishWallet(p, plan)
	}
	c.suggest(p.About)
	p.Devices = c.newDevices(p)
	if p.Exists, err = c.sameWallet(p.About); err != nil {
		return err
	}
	return c.showCheck(p)
}

// sameWallet returns the alias of the user's wallet with the same descriptors, or an empty string.
func (c *call) sameWallet(about wallet.Inspection) (string, error) {
	views, err := c.Wallets.List(c.r.Context(), c.who, "", 0)
	for _, v := range views {
		if isSame(v, about) {
			return v.Alias, nil
		}
	}
	return "", err
}

func isSame(v wallet.View, about wallet.Inspection) bool {
	return v.Receive == about.Policy.Receive.String() && v.Change == about.Policy.Change.String()
}

// suggest fills in fields of the form that the files answer.
func (c *call) suggest(about wallet.Inspection) {
	if !c.form.Has("name") {
		c.form.Set("name", wallet.FitName(about.Name))
	}
	if c.form.Has("since") {
		return
	}
	switch {
	case about.BirthdayHeight >= 0:
		c.form.Set("since", "height")
		c.form.Set("height", strconv.Itoa(about.BirthdayHeight))
	case !about.Birthday.IsZero() && about.Birthday.Before(c.Now()):
		c.form.Set("since", "date")
		c.form.Set("date", about.Birthday.UTC().Format("2006-01-02"))
	}
}

// birthdayOf returns the birthday of a form with the fields since, date and height.
func (c *call) birthdayOf(field string) (wallet.Birthday, error) {
	text := "now"
	switch c.form.Get("since") {
	case "now":
	case "date", "height":
		text = strings.TrimSpace(c.form.Get(c.form.Get("since")))
		if text == "" || text == "now" {
			return wallet.Birthday{}, fault.InvalidField(field, "is required: enter the date or the block height")
		}
	default:
		return wallet.Birthday{}, fault.InvalidField(field, "is required: choose one of the answers")
	}
	return wallet.ParseBirthday(field, text)
}

// finishWallet checks the whole plan, and then shows the addresses or creates the wallet.
func (c *call) finishWallet(p newWalletPage, plan wallet.Plan) error {
	ctx := c.r.Context()
	plan.Name, plan.Alias = strings.TrimSpace(c.form.Get("name")), strings.TrimSpace(c.form.Get("alias"))
	if plan.Name == "" {
		plan.Name = wallet.FitName(p.About.Name)
	}
	var err error
	if plan.Birthday, err = c.birthdayOf("birthday"); err != nil {
		return c.refuseCheck(p, c.Wallets.Problems(ctx, c.who, plan, err))
	}
	// A form that is sent twice waits here, and then finds the wallet.
	unlock, err := c.creating.Lock(ctx, c.who.UserID)
	if err != nil {
		return err
	}
	defer unlock()
	plan.DryRun = c.form.Get("step") != "create"
	v, err := c.Wallets.Create(ctx, c.who, plan)
	if err != nil && !plan.DryRun {
		if alias := c.existing(err, plan, p.About); alias != "" {
			return c.redirect(walletPath(alias), "wallet-exists")
		}
	}
	switch {
	case err != nil:
		return c.refuseCheck(p, err)
	case plan.DryRun:
		p.Step, p.Plan = 3, plan
		return c.render("wallet-compare", c.look.T("New wallet"), p)
	}
	return c.redirect(walletPath(v.Alias), "wallet-created")
}

// existing returns the alias of the user's wallet with the descriptors of a plan if err is about
// that, and otherwise an empty string.
func (c *call) existing(err error, plan wallet.Plan, about wallet.Inspection) string {
	if !errors.Is(err, wallet.ErrAliasTaken) {
		return aliasIn(err)
	}
	alias := plan.Alias
	if alias == "" {
		alias = btc.Alias(plan.Name)
	}
	access, err := c.Wallets.Access(c.r.Context(), c.who, alias)
	if err != nil {
		return ""
	}
	v, err := c.Wallets.Get(c.r.Context(), access)
	if err != nil || !isSame(v, about) {
		return ""
	}
	return alias
}

// aliasIn returns the alias of the wallet that an ErrExists is about, and otherwise an empty string.
func aliasIn(err error) string {
	if !errors.Is(err, wallet.ErrExists) {
		return ""
	}
	f, _ := errors.AsType[*fault.Error](err)
	return f.Details["alias"]
}

func (c *call) showSource(p newWalletPage) error {
	p.Step = 1
	return c.render("wallet-new", c.look.T("New wallet"), p)
}

func (c *call) refuseSource(p newWalletPage, err error) error {
	f, err := again(err)
	if err != nil {
		return err
	}
	p.Form, p.Private = c.newForm(f), f.Code == btc.ErrPrivateKey.Code
	return c.renderAs(f, "wallet-new", c.look.T("New wallet"), p)
}

func (c *call) showCheck(p newWalletPage) error {
	p.Step, p.Form = 2, c.newForm(nil)
	return c.render("wallet-check", c.look.T("New wallet"), p)
}

func (c *call) refuseCheck(p newWalletPage, err error) error {
	p.Exists = aliasIn(err)
	f, err := again(err)
	if err != nil {
		return err
	}
	p.Step, p.Form = 2, c.newForm(f)
	if errors.Is(f, wallet.ErrAliasTaken) {
		p.Form = c.newForm(f.WithField("alias", "%s", f.Message))
	}
	return c.renderAs(f, "wallet-check", c.look.T("New wallet"), p)
}

// scriptTexts describe the script types.
var scriptTexts = map[btc.Script]string{
	btc.PKH: "Legacy (P2PKH)", btc.WPKH: "Native segwit (P2WPKH)", btc.ShWPKH: "Nested segwit (P2SH-P2WPKH)", btc.TR: "Taproot (P2TR)",
	btc.Sh: "Legacy multisig (P2SH)", btc.WSh: "Native segwit multisig (P2WSH)", btc.ShWSh: "Nested segwit multisig (P2SH-P2WSH)",
}

// ScriptText describes a script type.
func (p newWalletPage) ScriptText(s btc.Script) string { return p.look.T(scriptTexts[s]) }

// formatTexts describe the formats of files.
var formatTexts = map[walletfile.Format]string{
	walletfile.Descriptor: "output descriptor", walletfile.Key: "extended public key", walletfile.AccountMap: "account map",
	walletfile.Specter: "wallet of Specter Desktop", walletfile.SpecterDevice: "device of Specter Desktop", walletfile.Coldcard: "Coldcard export",
	walletfile.ColdcardKeys: "Coldcard keys for multisig", walletfile.ColdcardMultisig: "Coldcard multisig file", walletfile.Nunchuk: "Nunchuk multisig file",
	walletfile.AccountKey: "account key of a hardware wallet", walletfile.Sparrow: "Sparrow wallet", walletfile.Electrum: "Electrum wallet",
	walletfile.Caravan: "Caravan configuration", walletfile.BSMS: "BSMS record", walletfile.Policy: "wallet policy (BIP-388)",
	walletfile.Core: "descriptors of Bitcoin Core", walletfile.CryptoAccount: "QR code with keys (crypto-account)",
	walletfile.CryptoOutput: "QR code with a descriptor (crypto-output)", walletfile.CryptoHDKey: "QR code with a key (crypto-hdkey)",
}

// FormatText describes the format of a file.
func (p newWalletPage) FormatText(f walletfile.Format) string { return p.look.T(formatTexts[f]) }

// Descriptor returns the descriptor of both branches.
func (p newWalletPage) Descriptor() string {
	return btc.Multipath(p.About.Policy.Receive.String(), p.About.Policy.Change.String())
}

// Path returns the derivation path of an address for a device, without the part that differs
// between the keys of a multisig wallet.
func (p newWalletPage) Path(branch, index int) string {
	prefix := "…"
	if keys := p.About.Keys; len(keys) == 1 {
		prefix = keys[0].Derivation
	}
	return prefix + "/" + strconv.Itoa(branch) + "/" + strconv.Itoa(index)
}

// Since returns the birthday in words.
func (p newWalletPage) Since() string {
	switch b := p.Plan.Birthday; {
	case b.Height != nil:
		return p.look.T("The history is read from block %d on.", *b.Height)
	case b.Time != nil:
		return p.look.T("The history is read from %s on.", p.look.dateText(*b.Time, p.look.T("2 Jan 2006")))
	}
	return p.look.T("The wallet is new, so no history is read.")
}

// newWarning is a warning with a title and the remedy.
type newWarning struct {
	code, Title, Remedy string
	Messages            []string // one for each key
}

// warningTexts are the titles of warnings and their remedies, by code.
var warningTexts = map[string][2]string{
	"origin_mismatch":      {"A key contradicts its origin", "Export the key from the device again. If you create the wallet anyway, the device may refuse to sign."},
	"fingerprint_missing":  {"A key has no origin", "Export the key with its fingerprint and path. Without them, the wallet can receive, but the device may refuse to sign."},
	"fingerprint_zero":     {"A fingerprint is zero", "Export the key with the fingerprint of the device. Without it, the device may refuse to sign."},
	"fingerprint_repeated": {"Two keys are from one device", "Use a key of another device, unless you intend that one device can sign twice."},
	"purpose_mismatch":     {"The path is for another type of addresses", "Choose the type that the path is for, or export the key for this type."},
	"coin_type_mismatch":   {"The path is for another network", "Export the key for the network of the node."},
	"multisig_unsorted":    {"The order of the keys is part of the wallet", "Prefer sorted keys, which all devices support, unless the wallet already exists elsewhere."},
	"key_in_other_wallet":  {"You use a key in another wallet", "Use another account of the device, unless you intend this."},
	"change_implied":       {"The file has no descriptor for change", "Compare a change address with the device as well."},
	"branches_assumed":     {"The file does not name the branches", "Compare the addresses with the device as well."},
	"script_assumed":       {"The file does not name the type of addresses", "Choose the type below, and compare the addresses with the device."},
	"one_of_several":       {"There are several types of addresses to choose from", "Choose another type below if the device uses it."},
	"network_differs":      {"The file is for another test network", "Continue only if you intend to use these keys on the network of the node."},
	"inactive_skipped":     {"Some descriptors are not active", "Create a wallet from each of them if they have received payments."},
}

// onlyTypeRemedy is the remedy of purpose_mismatch for a wallet whose file states the type.
const onlyTypeRemedy = "Export the key for this type from the device, or the descriptor of the type that the path is for."

// Warnings returns the warnings with titles and remedies, each kind once.
func (p newWalletPage) Warnings() []newWarning {
	var out []newWarning
	for _, w := range p.About.Warnings {
		at := slices.IndexFunc(out, func(other newWarning) bool { return other.code == w.Code })
		if at < 0 {
			texts := warningTexts[w.Code]
			if w.Code == "purpose_mismatch" && len(p.About.Scripts) < 2 { // there is no field for the type
				texts[1] = onlyTypeRemedy
			}
			at, out = len(out), append(out, newWarning{code: w.Code, Title: p.look.T(texts[0]), Remedy: p.look.T(texts[1])})
		}
		out[at].Messages = append(out[at].Messages, p.look.T(w.Message))
	}
	return out
}

// Carried returns the names of the fields that the last step repeats from the one before.
func (p newWalletPage) Carried() []string {
	names := []string{"signatures_required", "script", "name", "alias", "since", "date", "height"}
	for _, d := range p.Devices {
		names = append(names, d.Field)
	}
	return names
}
