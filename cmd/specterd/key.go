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

// keyFile has the keys that sign tokens, unless they are given in SECRET_KEY. The
// database says, by their fingerprints, which of them count: one that is in the file
// and that it does not know does no harm. So a new key is written before the database
// is told of it, and an old one is taken away after, and whatever happens in between,
// every key that counts is in the file.
func (a *app) keyFile() string { return filepath.Join(a.cfg.DataFolder, "secret_key") }

// keysAreGiven reports whether the keys are the operator's to keep.
func (a *app) keysAreGiven() bool { return a.cfg.SecretKey != "" }

// keyPlace is where the keys are, for people.
func (a *app) keyPlace() string {
	switch {
	case a.cfg.SecretKeyFile != "":
		return a.cfg.SecretKeyFile
	case a.keysAreGiven():
		return "SECRET_KEY"
	}
	return a.keyFile()
}

// loadKey reads the keys that sign tokens, or makes one at the first start, and
// checks that the one that signs is among them.
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

// firstKey ties a new database to a key.
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

// keysOrNew returns all keys, the one that a new database is tied to first. It makes
// that one where there is none.
func (a *app) keysOrNew() (auth.Keys, error) {
	keys, err := a.readKeys()
	if errors.Is(err, fs.ErrNotExist) && !a.keysAreGiven() {
		keys = auth.Keys{newKey()}
		err = a.writeKeys(keys)
	}
	return keys, err
}

func (a *app) openSigner(ctx context.Context) error {
	if _, err := a.readKeys(); err != nil { // which says more than that one is missing
		return err
	}
	var err error
	a.signer, err = auth.NewSigner(ctx, a.store, a.readKeys, a.now)
	if errors.Is(err, auth.ErrKeyMissing) {
		return fmt.Errorf("the signing key is not the one that this database's tokens are signed with; put the right one into SECRET_KEY, SECRET_KEY_FILE or %s (%w)", a.keyFile(), errors.Unwrap(err))
	}
	return err
}

// readKeys returns all keys, also those that do not count. What is in a file is read
// each time, for it may have been changed.
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
		return nil, errors.New("with PostgreSQL the signing key has to be given in SECRET_KEY or SECRET_KEY_FILE, since several processes share it; make one with: openssl rand -hex 32")
	default:
		text, err = os.ReadFile(a.keyFile())
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("the signing key %s is missing; put it back, or give the key in SECRET_KEY. If it is lost: specterd backup FILE, and specterd restore FILE into another folder, which makes a new one (%w)", a.keyPlace(), fs.ErrNotExist)
	}
	if err != nil {
		return nil, fmt.Errorf("read the signing key: %w", err)
	}
	keys, err := auth.ParseKeys(text)
	if err != nil {
		return nil, fmt.Errorf("%s %w; restore the right one", a.keyPlace(), err)
	}
	return keys, nil
}

// bothKeys returns what the database knows of keys, and the keys.
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

// writeKeys replaces the key file. It is whole or as it was, and on the disk when
// the function returns.
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

// replaceFile replaces a file in the data folder.
func replaceFile(path string, text []byte) error {
	return privatefile.Replace(path, func(out io.Writer) error {
		_, err := out.Write(text)
		return err
	})
}

// checkOldKeys refuses to go on without a key whose tokens live.
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
			return fmt.Errorf("%d tokens live that were signed with the key of the fingerprint %s, which is not in %s; put it back, or end them with: specterd key rotate --revoke", n, k.Fingerprint, a.keyPlace())
		}
	}
	return nil
}

// keyPatience is how long one who changes the keys waits for another who does.
const keyPatience = 10 * time.Second

// withKeys has do change the keys, and nobody else meanwhile who would change the
// same file.
func (a *app) withKeys(ctx context.Context, do func() error) error {
	if a.keysAreGiven() {
		return do() // the database has them come one after the other
	}
	path := a.keyFile() + ".lock"
	if err := privatefile.Ensure(path); err != nil {
		return fmt.Errorf("create the lock of the signing key: %w", err)
	}
	lock := flock.New(path, flock.SetFlag(privatefile.LockFlag))
	waiting, cancel := context.WithTimeout(ctx, keyPatience)
	defer cancel()
	if _, err := lock.TryLockContext(waiting, 20*time.Millisecond); err != nil {
		return fmt.Errorf("wait for another process that changes the signing key (%s): %w", lock.Path(), err)
	}
	return errors.Join(do(), lock.Unlock())
}

// rotation is what became of the keys.
type rotation struct {
	from, to string // fingerprints
	dropped  []auth.DroppedKey
}

// rotateKey has a new key sign. Where revoke is set, the tokens of all others end.
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
		e := who.Event(a.now(), "key.rotate", r.to, "before it "+r.from)
		if err := a.store.RotateKey(ctx, r.from, r.to, e); err != nil {
			if errors.Is(err, auth.ErrKeyRetired) {
				err = errors.New("somebody else has just done so; see: specterd key show")
			}
			return fmt.Errorf("rotate the signing key: %w", err)
		}
		if r.dropped, err = a.dropKeys(ctx, who, revoke); err != nil {
			return fmt.Errorf("the key %s signs now, but old ones are as they were; rotate again: %w", r.to, err)
		}
		return nil
	})
	return r, err
}

// nextKey returns the fingerprint of a key that can sign next: the one that was
// given and never used, or one that it adds to the file.
func (a *app) nextKey(known []auth.SigningKey, keys auth.Keys) (string, error) {
	if !a.keysAreGiven() {
		key := newKey()
		return auth.Fingerprint(key), a.writeKeys(append(accepted(known, keys), key))
	}
	switch unused := unused(known, keys); len(unused) {
	case 1:
		return unused[0], nil
	case 0:
		return "", fmt.Errorf("%s has no key that was never used; add one as a line of its own, made with: openssl rand -hex 32. Every specterd on this database needs it, before one rotates", a.keyPlace())
	default:
		return "", fmt.Errorf("%s has %d keys that were never used, and only one can be next; take the others away", a.keyPlace(), len(unused))
	}
}

// accepted returns those of the keys that the database accepts.
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

// dropKeys drops the keys that have no tokens any more, or, where revoke is set, all
// that have retired, and takes what does not count out of the file. It is called within
// withKeys.
func (a *app) dropKeys(ctx context.Context, who *auth.Principal, revoke bool) ([]auth.DroppedKey, error) {
	dropped, err := a.store.DropKeys(ctx, revoke, func(d auth.DroppedKey) auth.Event {
		detail := "no token of it was left"
		if d.Ended > 0 {
			detail = fmt.Sprintf("%d tokens of it ended", d.Ended)
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

// dropKeysEvery is how often the server looks for keys that have no tokens any more.
// The first time is that long after the start, when a clock that was wrong at the
// machine's start has long been set: a key that is dropped does not come back.
const dropKeysEvery = time.Hour

// dropOldKeys drops keys that have no tokens any more, until ctx ends.
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
		a.log.InfoContext(ctx, "a signing key was dropped: no token of it is left", "fingerprint", d.Fingerprint)
	}
	if err != nil && ctx.Err() == nil {
		a.log.WarnContext(ctx, "old signing keys could not be dropped; it will be tried again", "error", err)
	}
}
