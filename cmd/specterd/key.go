package main

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
)

// keyFile is the file with the keys that sign tokens, unless they are set in SECRET_KEY.
// The database lists the fingerprints of the valid keys; other keys in the file are
// ignored. A new key is therefore written to the file before its fingerprint is stored,
// and an old key is removed from the file after it is dropped from the database, so that
// every valid key is in the file even after a crash in between.
func (a *app) keyFile() string { return filepath.Join(a.cfg.DataFolder, "secret_key") }

// keysAreGiven reports whether the operator provides the keys.
func (a *app) keysAreGiven() bool { return a.cfg.SecretKey != "" }

// keyPlace describes the location of the keys in messages.
func (a *app) keyPlace() string {
	switch {
	case a.cfg.SecretKeyFile != "":
		return a.cfg.SecretKeyFile
	case a.keysAreGiven():
		return "SECRET_KEY"
	}
	return a.keyFile()
}

// loadKey reads the keys that sign tokens, or creates one at the first start, and checks
// that the current signing key is among them.
func (a *app) loadKey(ctx context.Context) error {
	known, err := a.store.SigningKeys(ctx)
	if err != nil {
		return err
	}
	if len(known) == 0 {
		if err := a.firstKey(ctx); err != nil {
			return err
		}
	}
	return a.openSigner(ctx)
}

// firstKey binds a new database to a key.
func (a *app) firstKey(ctx context.Context) error {
	if err := a.refuseIfUsed(); err != nil {
		return err
	}
	keys, err := a.keysOrNew()
	if err != nil {
		return err
	}
	return a.store.BindKey(ctx, auth.Fingerprint(keys[0]))
}

// keysOrNew returns all keys. The first is the one to bind a new database to; it is
// created if there are none.
func (a *app) keysOrNew() (auth.Keys, error) {
	keys, err := a.readKeys()
	if errors.Is(err, fs.ErrNotExist) && !a.keysAreGiven() {
		keys = auth.Keys{newKey()}
		err = a.writeKeys(keys)
	}
	return keys, err
}

func (a *app) openSigner(ctx context.Context) error {
	if _, err := a.readKeys(); err != nil { // a more specific error than NewSigner returns
		return err
	}
	var err error
	a.signer, err = auth.NewSigner(ctx, a.store, a.readKeys, a.now)
	if errors.Is(err, auth.ErrKeyMissing) {
		return fmt.Errorf("the signing key does not match the database, whose tokens were signed with another key; set that key in SECRET_KEY, SECRET_KEY_FILE or %s (%w)", a.keyFile(), errors.Unwrap(err))
	}
	return err
}

// readKeys returns all keys, valid or not. A file is read again at each call, since it
// may have changed.
func (a *app) readKeys() (auth.Keys, error) {
	text := []byte(a.cfg.SecretKey)
	var err error
	switch {
	case a.cfg.SecretKeyFile != "":
		var value string
		value, err = config.ReadSecret(a.cfg.SecretKeyFile)
		text = []byte(value)
	case a.keysAreGiven():
	case a.usesPostgres():
		return nil, errors.New("with PostgreSQL, SECRET_KEY or SECRET_KEY_FILE must be set, since several processes share the signing key; create one with: openssl rand -hex 32")
	default:
		text, err = os.ReadFile(a.keyFile())
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("the signing key %s is missing; restore the file, or set the key in SECRET_KEY. If the key is lost, run specterd backup FILE, then specterd restore FILE with another data directory, which creates a new key (%w)", a.keyPlace(), fs.ErrNotExist)
	}
	if err != nil {
		return nil, fmt.Errorf("read the signing key: %w", err)
	}
	keys, err := auth.ParseKeys(text)
	if err != nil {
		return nil, fmt.Errorf("%s %w; restore the correct key", a.keyPlace(), err)
	}
	return keys, nil
}

// bothKeys returns the keys' records in the database, and the keys.
func (a *app) bothKeys(ctx context.Context) ([]auth.SigningKey, auth.Keys, error) {
	known, err := a.store.SigningKeys(ctx)
	if err != nil {
		return nil, nil, err
	}
	keys, err := a.readKeys()
	return known, keys, err
}

// newKey returns a signing key: 64 hexadecimal digits.
func newKey() []byte {
	raw := make([]byte, 32)
	_, _ = rand.Read(raw) // never fails
	return []byte(hex.EncodeToString(raw))
}

// writeKeys replaces the key file atomically and syncs it to disk.
func (a *app) writeKeys(keys auth.Keys) error {
	text, err := keys.Text()
	if err != nil {
		return fmt.Errorf("%s: %w", a.keyFile(), err)
	}
	if err := replaceFile(a.keyFile(), text); err != nil {
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

// checkOldKeys returns an error if a key that still has valid tokens is missing.
func (a *app) checkOldKeys(ctx context.Context) error {
	known, keys, err := a.bothKeys(ctx)
	if err != nil {
		return err
	}
	for _, k := range known {
		if !k.Accepted() || keys.Find(k.Fingerprint) != nil {
			continue
		}
		n, err := a.store.TokensOfKey(ctx, k.Fingerprint)
		if err != nil {
			return err
		}
		if n > 0 {
			return fmt.Errorf("%d valid tokens were signed with the key with fingerprint %s, which is not in %s; restore the key, or revoke these tokens with: specterd key rotate --revoke", n, k.Fingerprint, a.keyPlace())
		}
	}
	return nil
}

// keyPatience is how long to wait for another process that is changing the keys.
const keyPatience = 10 * time.Second

// withKeys calls do, which changes the keys, while no other process changes the same
// file.
func (a *app) withKeys(ctx context.Context, do func() error) error {
	if a.keysAreGiven() {
		return do() // the database serializes the changes
	}
	path := a.keyFile() + ".lock"
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

// rotation is the result of a key rotation.
type rotation struct {
	from, to string // fingerprints
	dropped  []auth.DroppedKey
}

// rotateKey switches to a new signing key. If revoke is set, it also revokes the tokens
// of all other keys.
func (a *app) rotateKey(ctx context.Context, who *auth.Principal, revoke bool) (r rotation, err error) {
	err = a.withKeys(ctx, func() error {
		known, keys, err := a.bothKeys(ctx)
		if err != nil {
			return err
		}
		r.from = known[0].Fingerprint
		if r.to, err = a.nextKey(known, keys); err != nil {
			return err
		}
		e := who.Event(a.now(), "key.rotate", r.to, "previous key "+r.from)
		if err := a.store.RotateKey(ctx, r.from, r.to, e); err != nil {
			if errors.Is(err, auth.ErrKeyRetired) {
				err = errors.New("another process rotated the key at the same time; see: specterd key show")
			}
			return fmt.Errorf("rotate the signing key: %w", err)
		}
		if r.dropped, err = a.dropKeys(ctx, who, revoke); err != nil {
			return fmt.Errorf("the key %s now signs tokens, but old keys were not dropped; rotate again: %w", r.to, err)
		}
		return nil
	})
	return r, err
}

// nextKey returns the fingerprint of the next signing key: the unused one among the
// operator's keys, or a new one that it adds to the file.
func (a *app) nextKey(known []auth.SigningKey, keys auth.Keys) (string, error) {
	if !a.keysAreGiven() {
		key := newKey()
		return auth.Fingerprint(key), a.writeKeys(append(accepted(known, keys), key))
	}
	switch unused := unused(known, keys); len(unused) {
	case 1:
		return unused[0], nil
	case 0:
		return "", fmt.Errorf("%s has no unused key; add one on a separate line, created with: openssl rand -hex 32. Every specterd on this database must have the key before the rotation", a.keyPlace())
	default:
		return "", fmt.Errorf("%s has %d unused keys, but only one can be next; remove the others", a.keyPlace(), len(unused))
	}
}

// accepted returns the keys that the database accepts.
func accepted(known []auth.SigningKey, keys auth.Keys) auth.Keys {
	var kept auth.Keys
	for _, k := range known {
		if key := keys.Find(k.Fingerprint); key != nil && k.Accepted() {
			kept = append(kept, key)
		}
	}
	return kept
}

// unused returns the fingerprints of keys that never signed.
func unused(known []auth.SigningKey, keys auth.Keys) []string {
	var never []string
	for _, key := range keys {
		fingerprint := auth.Fingerprint(key)
		if !slices.ContainsFunc(known, func(k auth.SigningKey) bool { return k.Fingerprint == fingerprint }) {
			never = append(never, fingerprint)
		}
	}
	return never
}

// dropKeys drops the retired keys that have no valid tokens left, or all retired keys if
// revoke is set, and removes invalid keys from the file. It must be called within
// withKeys.
func (a *app) dropKeys(ctx context.Context, who *auth.Principal, revoke bool) ([]auth.DroppedKey, error) {
	dropped, err := a.store.DropKeys(ctx, revoke, func(d auth.DroppedKey) auth.Event {
		detail := "no valid tokens left"
		if d.Ended > 0 {
			detail = fmt.Sprintf("%d tokens revoked", d.Ended)
		}
		return who.Event(a.now(), "key.drop", d.Fingerprint, detail)
	})
	if err != nil {
		return nil, fmt.Errorf("drop old signing keys: %w", err)
	}
	if !a.keysAreGiven() {
		err = a.tidyKeys(ctx)
	}
	return dropped, errors.Join(err, a.signer.Reload(ctx))
}

func (a *app) tidyKeys(ctx context.Context) error {
	known, keys, err := a.bothKeys(ctx)
	if err != nil {
		return err
	}
	kept := accepted(known, keys)
	if slices.EqualFunc(kept, keys, bytes.Equal) {
		return nil
	}
	return a.writeKeys(kept)
}

// dropKeysEvery is how often the server drops keys without valid tokens. It first does so
// this long after the start, when a clock that was wrong at boot has been corrected: a
// dropped key cannot be restored.
const dropKeysEvery = time.Hour

// dropOldKeys regularly drops keys without valid tokens until ctx ends.
func (a *app) dropOldKeys(ctx context.Context) {
	tick := time.NewTicker(dropKeysEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			a.dropOldKeysNow(ctx)
		case <-ctx.Done():
			return
		}
	}
}

func (a *app) dropOldKeysNow(ctx context.Context) {
	if !a.watch.Settled() {
		return
	}
	var dropped []auth.DroppedKey
	err := a.withKeys(ctx, func() (err error) {
		dropped, err = a.dropKeys(ctx, &auth.Principal{}, false)
		return err
	})
	for _, d := range dropped {
		a.log.InfoContext(ctx, "signing key dropped: no valid tokens left", "fingerprint", d.Fingerprint)
	}
	if err != nil && ctx.Err() == nil {
		a.log.WarnContext(ctx, "dropping old signing keys failed; will retry", "error", err)
	}
}
