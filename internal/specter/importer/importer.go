// Package importer imports a data directory of Specter Desktop into specterd. It decides
// how to import each object that internal/specter/datadir reads, calls the services that
// create it, and reports the results. It uses neither SQL nor HTTP.
//
// Objects are independent: if one cannot be imported, that is reported and the import
// continues. Imported objects are remembered, so an import can be repeated.
package importer

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/specter/datadir"
	"github.com/specterd/specterd/internal/wallet"
)

// Result is the result for one object, or the expected result in a dry run.
type Result string

// The results.
const (
	Imported        Result = "imported"
	AlreadyImported Result = "already here" // by an earlier import
	Skipped         Result = "skipped"      // omitted on purpose; nothing is lost
	Left            Result = "left"         // of no use any more, such as a payment whose UTXOs are spent
	NotImported     Result = "not imported" // something is missing and may need action
)

// Kinds of objects.
const (
	KindUser     = auth.ImportUser
	KindToken    = auth.ImportToken
	KindDevice   = "device"
	KindWallet   = "wallet"
	KindLabel    = "label"
	KindProposal = "proposal"
)

// Item is an object in the directory and the result of its import. Its texts are safe to
// print.
type Item struct {
	Kind   string
	Name   string
	Result Result
	Detail string
	// Mapping is the argument NAME=NAME that imports a user into the existing user of the
	// same name; empty if there is no such user.
	Mapping string
}

// Status is the overall result of an import.
type Status string

// The statuses.
const (
	Complete Status = "complete"
	Partial  Status = "partial" // something is not imported, or could not be read
	Failed   Status = "failed"  // nothing is imported
)

// Report lists what an import did, or would do in a dry run.
type Report struct {
	DryRun   bool
	Items    []Item
	Problems []datadir.Problem
}

// Status returns the overall result.
func (r Report) Status() Status {
	carried, lost := false, false
	for _, i := range r.Items {
		carried = carried || i.Result == Imported || i.Result == AlreadyImported
		lost = lost || i.Result == NotImported
	}
	for _, p := range r.Problems {
		lost = lost || p.Severity == datadir.Error
	}
	switch {
	case !lost:
		return Complete
	case carried:
		return Partial
	}
	return Failed
}

// Count returns the number of objects of a kind with a result.
func (r Report) Count(kind string, result Result) int {
	n := 0
	for _, i := range r.Items {
		if i.Kind == kind && i.Result == result {
			n++
		}
	}
	return n
}

// Importer imports data directories of Specter Desktop.
type Importer struct {
	imports   *auth.Imports
	wallets   Wallets
	proposals Proposals
	book      Book
	chain     Chain
	who       *auth.Principal
	now       func() time.Time
}

// New returns an Importer that acts as who; the audit log names who as the actor.
func New(imports *auth.Imports, wallets Wallets, proposals Proposals, book Book, chain Chain, who *auth.Principal, now func() time.Time) *Importer {
	return &Importer{imports: imports, wallets: wallets, proposals: proposals, book: book, chain: chain, who: who, now: now}
}

// Options are the options of an import.
type Options struct {
	// Path is the path of the directory. It identifies a directory that has no uid.
	Path   string
	DryRun bool
	// Users maps names of users of Specter Desktop to names of existing users, who get
	// their tokens and wallets.
	Users map[string]string
	// Progress is called before each user and each wallet, with the next one's kind and name.
	Progress func(next string)
}

// run is one import.
type run struct {
	*Importer
	folder *datadir.Folder
	source string
	Options
	names  map[string]bool // folded names of the users so far
	report Report
	// State that a dry run cannot read from the database: the wallets of the current user
	// that would have been created, and the wallets of Bitcoin Core that would have been
	// adopted.
	planned []wallet.View
	adopted map[string]bool
}

// Run imports a directory. If it returns an error, such as a database error, the report
// lists the objects that were processed before it.
func (m *Importer) Run(ctx context.Context, folder *datadir.Folder, o Options) (Report, error) {
	r := &run{
		Importer: m, folder: folder, source: sourceOf(folder, o.Path), Options: o,
		names: map[string]bool{}, adopted: map[string]bool{}, report: Report{DryRun: o.DryRun},
	}
	if o.Progress == nil {
		r.Progress = func(string) {}
	}
	users := folder.Users()
	err := r.checkUsers(ctx, users)
	if err != nil {
		return r.report, err
	}
	for _, u := range users {
		r.Progress("user " + show(u.Name))
		if err = ctx.Err(); err == nil {
			err = r.user(ctx, u)
		}
		if err != nil {
			err = fmt.Errorf("import user %s: %w", show(u.Name), err)
			break
		}
	}
	r.report.Problems = folder.Problems()
	return r.report, err
}

// sourceOf identifies an installation of Specter Desktop: by its uid, or by the path for
// very old versions without a uid.
func sourceOf(folder *datadir.Folder, path string) string {
	if folder.Config.UID != "" {
		return "specter " + plain(folder.Config.UID)
	}
	return "specter at " + plain(path)
}

// origin returns the permanent identifier of an object of this directory.
func (r *run) origin(id string) string { return r.source + "/" + plain(id) }

// maxPlain is the maximum length of text that is used unchanged in a database key.
const maxPlain = 200

// plain returns text unchanged if it is suitable as a database key, or else its hash.
func plain(text string) string {
	if len(text) <= maxPlain && datadir.IsPrintable(text) {
		return text
	}
	sum := sha256.Sum256([]byte(text))
	return "sha256:" + hex.EncodeToString(sum[:])
}

func (r *run) add(kind, name string, result Result, detail string) {
	r.report.Items = append(r.report.Items, Item{Kind: kind, Name: show(name), Result: result, Detail: detail})
}

func (r *run) user(ctx context.Context, u datadir.User) error {
	folded := auth.FoldName(u.Name)
	owner, outcome, err := auth.User{}, auth.Outcome(""), error(auth.ErrUserExists)
	if !r.names[folded] { // a dry run does not find the first of two such users in the database
		owner, outcome, err = r.imports.User(ctx, r.who, auth.ForeignUser{
			Origin: r.origin(u.ID), Name: u.Name, Admin: u.Admin, Salt: u.Salt, Hash: u.Hash,
			Into: r.Users[folded],
		}, r.DryRun)
	}
	again := r.names[folded]
	r.names[folded] = true
	if err != nil {
		return r.refusedUser(u, again, err)
	}
	detail := role(u.Admin)
	switch outcome {
	case auth.OutcomeBefore:
		detail = ""
		if auth.FoldName(owner.Name) != folded {
			detail = "as user " + show(owner.Name)
		}
		if !owner.Active() {
			detail = strings.TrimPrefix(detail+"; disabled here", "; ")
		}
	case auth.OutcomeInto:
		detail = "into user " + show(owner.Name) + ", who keeps password and role"
	case auth.OutcomeNew:
	case auth.OutcomeFirst:
		detail += ", replaces the first admin here, who had the default password"
	}
	if owner.PasswordIsDefault {
		detail = strings.TrimPrefix(detail+"; has the DEFAULT PASSWORD, so specterd listens on loopback only: change it with specterd user set NAME --password", "; ")
	}
	r.add(KindUser, u.Name, resultOf(outcome), detail)
	for _, t := range u.Tokens {
		if err := r.token(ctx, u, owner, t); err != nil {
			return err
		}
	}
	if err := r.devices(ctx, u, owner); err != nil {
		return err
	}
	return r.allWallets(ctx, u, owner)
}

// checkUsers folds the names in Users, and returns an error if a name is unknown, or if two
// users would become one.
func (r *run) checkUsers(ctx context.Context, users []datadir.User) error {
	there := map[string]bool{}
	for _, u := range users {
		there[auth.FoldName(u.Name)] = true
	}
	folded, from := map[string]string{}, map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(r.Users)) {
		into := r.Users[name]
		if !there[auth.FoldName(name)] {
			return fmt.Errorf("%w: the directory has no user %s", ErrMapping, show(name))
		}
		if err := r.imports.CheckUser(ctx, into); err != nil {
			return fmt.Errorf("%w: user %s: %w", ErrMapping, show(into), err)
		}
		if other, ok := from[auth.FoldName(into)]; ok {
			return fmt.Errorf("%w: %s and %s cannot both become %s", ErrMapping, show(other), show(name), show(into))
		}
		from[auth.FoldName(into)], folded[auth.FoldName(name)] = name, into
	}
	r.Users = folded
	return nil
}

// ErrMapping is returned for invalid Users of Options. Nothing was imported.
var ErrMapping = errors.New("users cannot be imported as requested")

// mapping returns the argument that maps a user to the user of the same name.
func mapping(name string) string {
	argument := show(name) + "=" + show(name)
	if strings.ContainsAny(argument, " '\"$`\\&|;<>()*?!#~") {
		return "'" + strings.ReplaceAll(argument, "'", `'\''`) + "'"
	}
	return argument
}

func role(admin bool) string {
	if admin {
		return "admin"
	}
	return "user"
}

func resultOf(outcome auth.Outcome) Result {
	if outcome == auth.OutcomeBefore {
		return AlreadyImported
	}
	return Imported
}

// refusedUser reports a user who is not imported, with their tokens and wallets; again is
// set if an earlier user of the directory has the same name. It returns err if err does
// not concern the user.
func (r *run) refusedUser(u datadir.User, again bool, err error) error {
	why, ok := refusal(err)
	if !ok {
		return err
	}
	result, offer := NotImported, ""
	switch {
	case errors.Is(err, auth.ErrImportDeleted):
		result = Skipped
	case errors.Is(err, auth.ErrUserExists) && again:
		why = "another user of the directory has this name, ignoring case; tokens and wallets are skipped"
	case errors.Is(err, auth.ErrUserExists):
		offer = mapping(u.Name)
		why = "a user with this name, ignoring case, exists here and is unchanged; to import tokens and wallets into this user, add --user " + offer
	}
	r.add(KindUser, u.Name, result, why)
	r.report.Items[len(r.report.Items)-1].Mapping = offer
	for _, t := range u.Tokens {
		r.add(KindToken, tokenName(u, t), result, "its user is not imported")
	}
	for _, at := range r.folder.Wallets(u) {
		if w, ok := r.folder.Wallet(at); ok {
			r.add(KindWallet, walletName(u, w), result, "its user is not imported")
		}
	}
	return nil
}

// refusal returns why an object is not imported. It returns false for errors that do
// not concern the object, such as errors of the database.
func refusal(err error) (string, bool) {
	switch fault.KindOf(err) {
	case fault.Invalid, fault.Conflict, fault.Unauthenticated:
		f, ok := errors.AsType[*fault.Error](err)
		if !ok {
			return "", false
		}
		return f.Error(), true
	default:
		return "", false
	}
}

func (r *run) token(ctx context.Context, u datadir.User, owner auth.User, t datadir.Token) error {
	in := auth.ForeignToken{
		Origin: r.origin(t.ID), ID: t.ID, UserName: u.Name, Text: t.Text, Lifetime: lifetime(t.Life),
	}
	nameless := t.Description == nil || *t.Description == ""
	if !nameless {
		in.Description = *t.Description
	}
	made, outcome, err := r.imports.Token(ctx, r.who, owner, in, r.DryRun || nameless)
	name := tokenName(u, t)
	if err == nil && nameless && outcome == auth.OutcomeNew {
		r.add(KindToken, name, NotImported, "has no description, which is required; create a new token")
		return nil
	}
	if err == nil {
		r.add(KindToken, name, resultOf(outcome), "until "+made.ExpiresAt.UTC().Format("2006-01-02 15:04 UTC"))
		return nil
	}
	why, ok := refusal(err)
	if !ok {
		return fmt.Errorf("token %s: %w", show(t.ID), err)
	}
	result := NotImported
	if errors.Is(err, auth.ErrImportExpired) || errors.Is(err, auth.ErrImportDeleted) || errors.Is(err, auth.ErrImportToken) {
		result = Skipped
	}
	if errors.Is(err, auth.ErrDescriptionTaken) {
		why = "a token with this id or description already exists here"
	}
	r.add(KindToken, name, result, why)
	return nil
}

func lifetime(seconds float64) time.Duration {
	return time.Duration(min(max(seconds, 0), auth.MaxLifetime.Seconds()) * float64(time.Second))
}

// tokenName returns a name for a token that reveals nothing secret.
func tokenName(u datadir.User, t datadir.Token) string {
	description := "(no description)"
	if t.Description != nil && strings.TrimSpace(*t.Description) != "" {
		description = show(*t.Description)
	} else if t.Description != nil {
		description = "(blank)"
	}
	return fmt.Sprintf("%s: %s, %.8s", show(u.Name), description, show(t.ID))
}

const maxShown = 60

// show makes text safe to print in one line of a table.
func show(text string) string {
	runes := []rune(strings.ToValidUTF8(text, "\uFFFD"))
	end := ""
	if len(runes) > maxShown {
		runes, end = runes[:maxShown], "…"
	}
	for i, r := range runes {
		if !unicode.IsPrint(r) {
			runes[i] = '\uFFFD'
		}
	}
	return string(runes) + end
}
