package datadir

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// User is somebody with a password in users.json.
type User struct {
	ID    string // names the user's folders, unless an admin's
	Name  string // what is typed at login; not always the ID
	Admin bool
	// Salt and Hash are of the password: PBKDF2-HMAC-SHA256, 10,000 iterations,
	// 32 bytes. Salt is base64 text, which is itself the salt and not decoded.
	Salt string
	Hash []byte
	// Tokens are in the order they were made.
	Tokens []Token
	// Folder is what is added to "wallets" and "devices" for the user's folders:
	// nothing for an admin, "_id" for others.
	Folder string
	// HasFolders is false where the user can have none: the ID is no plain name,
	// or they are another admin's.
	HasFolders bool
}

// Token is a token as it is stored, which is whole and in clear.
type Token struct {
	ID   string
	Text string // the token itself
	// Description is nil for null, which Specter Desktop lets through.
	Description *string
	Life        float64 // seconds, as asked for
}

// hashBytes is the length of a password's hash.
const hashBytes = 32

// Users reads users.json. A user who cannot be read is left out and reported;
// so is one whose id or name another has already.
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
		f.report(path, Error, "is missing, and with it all users, passwords and tokens")
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
			f.report(at, Error, "has the id or the name of a user before; left out")
			continue
		}
		f.giveFolders(at, &u, users)
		users = append(users, u)
	}
	return users
}

func (f *Folder) user(at string, value jsontext.Value) (User, []string, error) {
	o, err := parseObject(value)
	if err != nil {
		return User{}, nil, errForm("is damaged: it has to be a JSON object")
	}
	var u User
	o.need("id", &u.ID)
	o.need("username", &u.Name)
	o.need("is_admin", &u.Admin)
	if o.err != nil {
		return u, nil, o.err
	}
	if !IsPrintable(u.Name) || u.Name == "" || len(u.Name) > maxShown {
		return u, nil, errForm("has a name that is empty, very long, or has characters that cannot be printed")
	}
	password := o.child("password")
	var hash string
	password.need("salt", &u.Salt)
	password.need("pwdhash", &hash)
	if u.Hash, err = base64.StdEncoding.Strict().DecodeString(hash); err != nil || len(u.Hash) != hashBytes || u.Salt == "" || len(u.Salt) > maxShown {
		return u, nil, errForm("is damaged: the hash of the password is missing or of a form that Specter Desktop does not have")
	}
	u.Tokens = f.tokens(at, o)
	return u, o.warnings, nil
}

// tokens reads what is stored of a user's tokens. A record that is no object
// was never accepted as a token, and is left out and reported.
func (f *Folder) tokens(at string, o *object) []Token {
	container := o.child("jwt_tokens")
	var tokens []Token
	for _, id := range container.names {
		what := fmt.Sprintf("%s, token %s", at, show(id))
		record, err := parseObject(container.fields[id])
		if err != nil {
			f.report(what, Error, "is damaged: it has to be a JSON object")
			continue
		}
		t := Token{ID: id}
		record.need("jwt_token", &t.Text)
		if record.err != nil {
			f.report(what, Error, "%s", record.err)
			continue
		}
		if description := record.fields["jwt_token_description"]; isString(description) {
			t.Description = new(string)
		}
		record.may("jwt_token_description", t.Description)
		record.may("jwt_token_life", &t.Life)
		for _, w := range record.warnings {
			f.report(what, Warning, "%s", w)
		}
		tokens = append(tokens, t)
	}
	return tokens
}

// giveFolders decides which folders are a user's. All admins have the same; they
// go to the first.
func (f *Folder) giveFolders(at string, u *User, before []User) {
	switch {
	case !u.Admin && (u.ID == "" || !isPlain("wallets_"+u.ID)):
		f.report(at, Error, "has an id that cannot be the name of a folder; wallets and devices are left out: %s", show(u.ID))
	case !u.Admin:
		u.Folder, u.HasFolders = "_"+u.ID, true
	case slices.ContainsFunc(before, func(o User) bool { return o.Admin }):
		f.report(at, Warning, "is a second admin, who has the same wallets and devices as the first; they are read as the first's")
	default:
		u.HasFolders = true
	}
}

// orphans reports folders that belong to no user.
func (f *Folder) orphans(users []User) {
	entries := f.list(".")
	for _, e := range entries {
		for _, kind := range []string{"wallets", "devices"} {
			id, ok := strings.CutPrefix(e.name, kind+"_")
			if ok && e.isFolder && !slices.ContainsFunc(users, func(u User) bool { return u.Folder == "_"+id }) {
				f.report(e.name, Error, "belongs to no user that could be read; left out")
			}
		}
	}
}
