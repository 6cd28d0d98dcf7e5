package app

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/gofrs/flock"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/config"
	"github.com/specterd/specterd/internal/privatefile"
	"github.com/specterd/specterd/internal/text"
)

// KeyFile returns the path of the file with the keys that sign tokens, which is used
// unless the operator provides the keys. The database lists the fingerprints of the valid
// keys; other keys in the file are ignored. A new key is written to the file before its
// fingerprint is stored, and an old key is removed from the file after it is dropped from
// the database, so that the file contains every valid key even after a crash.
func (a *App) KeyFile() string { return filepath.Join(a.Config.DataFolder, "secret_key") }

// HasConfiguredKeys reports whether the operator provides the keys in SECRET_KEY or
// SECRET_KEY_FILE.
func (a *App) HasConfiguredKeys() bool {
	return a.Config.SecretKey != "" || a.Config.SecretKeyFile != ""
}

// KeyLocation returns the file of the signing keys, or the setting that contains them, for
// use in messages.
func (a *App) KeyLocation() string {
	switch {
	case a.Config.SecretKeyFile != "":
		return a.Config.SecretKeyFile
	case a.HasConfiguredKeys():
		return "SECRET_KEY"
	}
	return a.KeyFile()
}

// loadKey reads the keys that sign tokens, or creates one at the first start, and checks
// that the current signing key is among them.
func (a *App) loadKey(ctx context.Context) error {
	known, err := a.Store.SigningKeys(ctx)
	if err != nil {
		return err
	}
	if len(known) == 0 {
		if err := a.firstKey(ctx); err != nil {
			return err
		}
	}
	return a.OpenSigner(ctx)
}

// firstKey stores the fingerprint of the first key in a new database.
func (a *App) firstKey(ctx context.Context) error {
	if err := a.refuseIfUsed(); err != nil {
		return err
	}
	keys, err := a.keysOrNew()
	if err != nil {
		return err
	}
	return a.Store.BindKey(ctx, auth.Fingerprint(keys[0]))
}

// keysOrNew returns all keys, and creates one if the key file does not exist. The first
// key is the signing key of a new database.
func (a *App) keysOrNew() (auth.Keys, error) {
	keys, err := a.ReadKeys()
	if errors.Is(err, fs.ErrNotExist) && !a.HasConfiguredKeys() {
		keys = auth.Keys{newKey()}
		err = a.writeKeys(keys)
	}
	return keys, err
}

// OpenSigner reads the keys that sign tokens, and checks that the current one is among
// them.
func (a *App) OpenSigner(ctx context.Context) error {
	if _, err := a.ReadKeys(); err != nil { // returns a more specific error than NewSigner
		return err
	}
	var err error
	a.signer, err = auth.NewSigner(ctx, a.Store, a.ReadKeys, a.Now)
	if errors.Is(err, auth.ErrKeyMissing) {
		return fmt.Errorf("the signing key does not match the database, whose tokens were signed with another key; set that key in SECRET_KEY, SECRET_KEY_FILE or %s (%w)", a.KeyFile(), errors.Unwrap(err))
	}
	return err
}

// ReadKeys returns all keys, valid or not. A file is read again at each call, since it
// may have changed.
func (a *App) ReadKeys() (auth.Keys, error) {
	text := []byte(a.Config.SecretKey)
	var err error
	switch {
	case a.Config.SecretKeyFile != "":
		var value string
		value, err = config.ReadSecret(a.Config.SecretKeyFile)
		text = []byte(value)
	case a.HasConfiguredKeys():
	case a.UsesPostgres():
		return nil, errors.New("with PostgreSQL, SECRET_KEY or SECRET_KEY_FILE must be set, since several processes share the signing key; create one with: openssl rand -hex 32")
	default:
		text, err = os.ReadFile(a.KeyFile())
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("the signing key %s is missing; restore the file, or set the key in SECRET_KEY. If the key is lost, run specterd backup FILE, then specterd restore FILE with another data directory, which creates a new key (%w)", a.KeyLocation(), fs.ErrNotExist)
	}
	if err != nil {
		return nil, fmt.Errorf("read the signing key: %w; run specterd as the user who owns the file", err)
	}
	keys, err := auth.ParseKeys(text)
	if err != nil {
		return nil, fmt.Errorf("%s %w; restore the correct key", a.KeyLocation(), err)
	}
	return keys, nil
}

// BothKeys returns the metadata of the keys in the database, and the keys that ReadKeys
// returns.
func (a *App) BothKeys(ctx context.Context) ([]auth.SigningKey, auth.Keys, error) {
	known, err := a.Store.SigningKeys(ctx)
	if err != nil {
		return nil, nil, err
	}
	keys, err := a.ReadKeys()
	return known, keys, err
}

// newKey returns a signing key: 64 hexadecimal digits.
func newKey() []byte {
	raw := make([]byte, 32)
	_, _ = rand.Read(raw) // never fails
	return []byte(hex.EncodeToString(raw))
}

// writeKeys replaces the key file atomically and syncs it to disk.
func (a *App) writeKeys(keys auth.Keys) error {
	text, err := keys.Text()
	if err != nil {
		return fmt.Errorf("%s: %w", a.KeyFile(), err)
	}
	if err := replaceFile(a.KeyFile(), text); err != nil {
		return fmt.Errorf("write the signing key: %w", err)
	}
	return nil
}

// replaceFile replaces a file in the data directory atomically.
func replaceFile(path string, text []byte) error {
	return privatefile.Replace(path, func(out io.Writer) error {
		_, err := out.Write(text)
		return err
	})
}

// CheckOldKeys returns an error if a key that signed valid tokens is missing.
func (a *App) CheckOldKeys(ctx context.Context) error {
	known, keys, err := a.BothKeys(ctx)
	if err != nil {
		return err
	}
	for _, k := range known {
		if !k.Accepted() || keys.Find(k.Fingerprint) != nil {
			continue
		}
		n, err := a.Store.TokensOfKey(ctx, k.Fingerprint)
		if err != nil {
			return err
		}
		if n > 0 {
			return fmt.Errorf("%s of the key with fingerprint %s, which is not in %s; restore the key, or revoke the tokens with: specterd key rotate --revoke", text.Count(n, "valid token"), k.Fingerprint, a.KeyLocation())
		}
	}
	return nil
}

// keyPatience is how long withKeys waits for another process that is changing the keys.
const keyPatience = 10 * time.Second

// withKeys calls do, which changes the keys, while it holds the lock of the key file. If
// the operator provides the keys, it takes no lock.
func (a *App) withKeys(ctx context.Context, do func() error) error {
	if a.HasConfiguredKeys() {
		return do() // the database serializes the changes
	}
	path := a.KeyFile() + ".lock"
	if err := privatefile.Ensure(path); err != nil {
		return fmt.Errorf("create the lock of the signing key: %w", err)
	}
	lock := flock.New(path, flock.SetFlag(privatefile.LockFlag))
	waiting, cancel := context.WithTimeout(ctx, keyPatience)
	defer cancel()
	if _, err := lock.TryLockContext(waiting, 20*time.Millisecond); err != nil {
		return fmt.Errorf("wait for another process that is changing the signing key (%s): %w", lock.Path(), err)
	}
	return errors.Join(do(), lock.Unlock())
}

// KeyRotation is the result of RotateKey.
type KeyRotation struct {
	From, To string // fingerprints
	Dropped  []auth.DroppedKey
}

// RotateKey makes another key the signing key and drops the retired keys without valid
// tokens. If revoke is set, it drops all retired keys, which revokes their tokens.
func (a *App) RotateKey(ctx context.Context, who *auth.Principal, revoke bool) (r KeyRotation, err error) {
	if err := a.OpenSigner(ctx); err != nil {
		return r, err
	}
	err = a.withKeys(ctx, func() error {
		known, keys, err := a.BothKeys(ctx)
		if err != nil {
			return err
		}
		r.From = known[0].Fingerprint
		if r.To, err = a.nextKey(known, keys); err != nil {
			return err
		}
		e := who.Event(a.Now(), "key.rotate", r.To, "previous key "+r.From)
		if err := a.Store.RotateKey(ctx, r.From, r.To, e); err != nil {
			if errors.Is(err, auth.ErrKeyRetired) {
				err = errors.New("another process rotated the key at the same time; see: specterd key show")
			}
			return fmt.Errorf("rotate the signing key: %w", err)
		}
		if r.Dropped, err = a.dropKeys(ctx, who, revoke); err != nil {
			return fmt.Errorf("the key %s now signs tokens, but old keys were not dropped; rotate again: %w", r.To, err)
		}
		return nil
	})
	return r, err
}

// nextKey returns the fingerprint of the next signing key. If the operator provides the
// keys, this is the only key that was never used, and there must be exactly one.
// Otherwise nextKey creates a key and adds it to the file.
func (a *App) nextKey(known []auth.SigningKey, keys auth.Keys) (string, error) {
	if !a.HasConfiguredKeys() {
		key := newKey()
		return auth.Fingerprint(key), a.writeKeys(append(accepted(known, keys), key))
	}
	switch unused := UnusedKeys(known, keys); len(unused) {
	case 1:
		return unused[0], nil
	case 0:
		return "", fmt.Errorf("%s has no unused key; add one on a separate line, created with: openssl rand -hex 32. Every specterd on this database must have the key before the rotation", a.KeyLocation())
	default:
		return "", fmt.Errorf("%s has %d unused keys, but only one can be next; remove the others", a.KeyLocation(), len(unused))
	}
}

// accepted returns the keys that are valid according to the database.
func accepted(known []auth.SigningKey, keys auth.Keys) auth.Keys {
	var kept auth.Keys
	for _, k := range known {
		if key := keys.Find(k.Fingerprint); key != nil && k.Accepted() {
			kept = append(kept, key)
		}
	}
	return kept
}

// UnusedKeys returns the fingerprints of keys that never were the signing key.
func UnusedKeys(known []auth.SigningKey, keys auth.Keys) []string {
	var never []string
	for _, key := range keys {
		fingerprint := auth.Fingerprint(key)
		if !slices.ContainsFunc(known, func(k auth.SigningKey) bool { return k.Fingerprint == fingerprint }) {
			never = append(never, fingerprint)
		}
	}
	return never
}

// dropKeys drops the retired keys without valid tokens or, if revoke is set, all retired
// keys. It also removes invalid keys from the key file. It must be called from a function
// passed to withKeys.
func (a *App) dropKeys(ctx context.Context, who *auth.Principal, revoke bool) ([]auth.DroppedKey, error) {
	dropped, err := a.Store.DropKeys(ctx, revoke, func(d auth.DroppedKey) auth.Event {
		detail := "no valid tokens left"
		if d.Ended > 0 {
			detail = text.Count(d.Ended, "token") + " revoked"
		}
		return who.Event(a.Now(), "key.drop", d.Fingerprint, detail)
	})
	if err != nil {
		return nil, fmt.Errorf("drop old signing keys: %w", err)
	}
	if !a.HasConfiguredKeys() {
		err = a.removeUnacceptedKeys(ctx)
	}
	return dropped, errors.Join(err, a.signer.Reload(ctx))
}

func (a *App) removeUnacceptedKeys(ctx context.Context) error {
	known, keys, err := a.BothKeys(ctx)
	if err != nil {
		return err
	}
	kept := accepted(known, keys)
	if slices.EqualFunc(kept, keys, bytes.Equal) {
		return nil
	}
	return a.writeKeys(kept)
}

// DropOldKeys drops keys without valid tokens, unless the clock is unreliable.
func (a *App) DropOldKeys(ctx context.Context) error {
	if !a.Watch.Settled() {
		return nil
	}
	var dropped []auth.DroppedKey
	err := a.withKeys(ctx, func() (err error) {
		dropped, err = a.dropKeys(ctx, &auth.Principal{}, false)
		return err
	})
	for _, d := range dropped {
		a.Log.InfoContext(ctx, "signing key dropped: no valid tokens left", "fingerprint", d.Fingerprint)
	}
	return err
}
