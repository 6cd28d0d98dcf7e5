package datadir

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// User is a user with a password in users.json.
type User struct {
	ID    string // part of the names of the user's directories, unless the user is an admin
	Name  string // login name; may differ from the ID
	Admin bool
	// Salt and Hash belong to the password: PBKDF2-HMAC-SHA256, 10,000 iterations,
	// 32 bytes. The salt is the base64 text itself, not the decoded bytes.
	Salt string
	Hash []byte
	// Tokens are in order of creation.
	Tokens []Token
	// Folder is the suffix of "wallets" and "devices" in the names of the user's
	// directories: empty for an admin, "_id" for others.
	Folder string
	// HasFolders is false if the user has no directories: the ID is not a plain name, or
	// the directories belong to another admin.
	HasFolders bool
}

// Token is a token of a user. Specter Desktop stores tokens in clear text.
type Token struct {
	ID   string
	Text string // the encoded token
	// Description is nil for null, which Specter Desktop accepts.
	Description *string
	Life        float64 // requested lifetime in seconds
}

// hashBytes is the length of a password hash.
const hashBytes = 32

// Users reads users.json. It skips and reports users who cannot be read, and users with
// the id or the name of an earlier user.
func (f *Folder) Users() []User {
	const path = "users.json"
	var users []User
	found := f.read(path, maxUsersBytes, func(text []byte) ([]string, error) {
		values, err := parseArray(text)
		if err != nil {
			return nil, err
		}
		users = f.usersOf(path, values)
		return nil, nil
	})
	if !found {
		f.report(path, Error, "is missing, so users, passwords and tokens are not imported")
	}
	f.orphans(users)
	return users
}

func (f *Folder) usersOf(path string, values []jsontext.Value) []User {
	var users []User
	for i, value := range values {
		at := fmt.Sprintf("%s, user %d", path, i+1)
		u, warnings, err := f.user(at, value)
		if err != nil {
			f.report(at, Error, "%s", reason(err))
			continue
		}
		at = fmt.Sprintf("%s, user %s", path, show(u.Name))
		for _, w := range warnings {
			f.report(at, Warning, "%s", w)
		}
		if slices.ContainsFunc(users, func(o User) bool { return o.ID == u.ID || o.Name == u.Name }) {
			f.report(at, Error, "has the id or the name of an earlier user; skipped")
			continue
		}
		f.assignFolders(at, &u, users)
		users = append(users, u)
	}
	return users
}

func (f *Folder) user(at string, value jsontext.Value) (User, []string, error) {
	o, err := parseObject(value)
	if err != nil {
		return User{}, nil, errForm("is damaged: it must be a JSON object")
	}
	var u User
	o.required("id", &u.ID)
	o.required("username", &u.Name)
	o.required("is_admin", &u.Admin)
	if o.err != nil {
		return u, nil, o.err
	}
	if !IsPrintable(u.Name) || u.Name == "" || len(u.Name) > maxShown {
		return u, nil, errForm("has a name that is empty, too long or has unprintable characters")
	}
	password := o.child("password")
	var hash string
	password.required("salt", &u.Salt)
	password.required("pwdhash", &hash)
	if u.Hash, err = base64.StdEncoding.Strict().DecodeString(hash); err != nil || len(u.Hash) != hashBytes || u.Salt == "" || len(u.Salt) > maxShown {
		return u, nil, errForm("is damaged: the password hash is missing or not in a format of Specter Desktop")
	}
	u.Tokens = f.tokens(at, o)
	return u, o.warnings, nil
}

// tokens reads the tokens of a user. A record that is not an object was never valid as a
// token; it is skipped and reported.
func (f *Folder) tokens(at string, o *object) []Token {
	container := o.child("jwt_tokens")
	var tokens []Token
	for _, id := range container.names {
		what := fmt.Sprintf("%s, token %s", at, show(id))
		record, err := parseObject(container.fields[id])
		if err != nil {
			f.report(what, Error, "is damaged: it must be a JSON object")
			continue
		}
		t := Token{ID: id}
		record.required("jwt_token", &t.Text)
		if record.err != nil {
			f.report(what, Error, "%s", record.err)
			continue
		}
		if description := record.fields["jwt_token_description"]; isString(description) {
			t.Description = new(string)
		}
		record.optional("jwt_token_description", t.Description)
		record.optional("jwt_token_life", &t.Life)
		for _, w := range record.warnings {
			f.report(what, Warning, "%s", w)
		}
		tokens = append(tokens, t)
	}
	return tokens
}

// assignFolders assigns a user's directories. All admins share the same directories, which
// are assigned to the first admin.
func (f *Folder) assignFolders(at string, u *User, before []User) {
	switch {
	case !u.Admin && (u.ID == "" || !isPlain("wallets_"+u.ID)):
		f.report(at, Error, "has an id that cannot be part of a directory's name; wallets and devices are skipped: %s", show(u.ID))
	case !u.Admin:
		u.Folder, u.HasFolders = "_"+u.ID, true
	case slices.ContainsFunc(before, func(o User) bool { return o.Admin }):
		f.report(at, Warning, "is another admin, who shares wallets and devices with the first; they are assigned to the first")
	default:
		u.HasFolders = true
	}
}

// orphans reports directories that belong to no user.
func (f *Folder) orphans(users []User) {
	entries := f.list(".")
	for _, e := range entries {
		for _, kind := range []string{"wallets", "devices"} {
			id, ok := strings.CutPrefix(e.name, kind+"_")
			if ok && e.isFolder && !slices.ContainsFunc(users, func(u User) bool { return u.Folder == "_"+id }) {
				f.report(e.name, Error, "belongs to no user that could be read; skipped")
			}
		}
	}
}
