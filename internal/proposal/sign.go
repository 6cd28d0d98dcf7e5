package proposal

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/psbt"
	"github.com/specterd/specterd/internal/wallet"
)

// AddSignatures adds signatures from a signer's copy of a proposal: a PSBT of version 0 or
// 2, or the signed transaction itself, in binary or as text. The caller must be a signer.
// Only signatures are taken, and each is verified first, so that repeated and concurrent
// posts in any order lead to the same result. It returns the faults of psbt.Decode and
// psbt.Collect, ErrNotFound, ErrWrongState, and ErrChanged if the version is not one of
// expected. The posted data is parsed only after the other checks, because parsing is
// expensive.
func (s *Service) AddSignatures(ctx context.Context, access wallet.Access, id string, data []byte, expected Versions) (Proposal, error) {
	return s.AddSignatureFiles(ctx, access, id, [][]byte{data}, expected)
}

// AddSignatureFiles adds the signatures from several copies of a proposal, or none if one of them
// is refused; see AddSignatures.
func (s *Service) AddSignatureFiles(ctx context.Context, access wallet.Access, id string, files [][]byte, expected Versions) (Proposal, error) {
	v, err := s.wallets.View(ctx, access, auth.RoleSigner)
	if err != nil {
		return Proposal{}, err
	}
	p, err := s.store.Proposal(ctx, v.ID, id)
	if err != nil {
		return Proposal{}, err
	}
	if err := p.expect(expected, Created, PartiallySigned, Complete); err != nil {
		return Proposal{}, err
	}
	if err := p.expectTime(s.now()); err != nil {
		return Proposal{}, err
	}
	// The transaction and its inputs never change, so the result stays valid even if
	// others add signatures meanwhile.
	inputs, signatures, err := collect(v.Wallet, p, files)
	if err != nil {
		return Proposal{}, err
	}
	p, err = s.store.UpdateProposal(ctx, v.ID, id, func(u *Update) error {
		if err := u.expect(expected, Created, PartiallySigned, Complete); err != nil {
			return err
		}
		if err := u.expectTime(s.now()); err != nil {
			return err
		}
		return s.merge(access.Caller(), v, u, inputs, signatures)
	})
	if err != nil {
		return Proposal{}, err
	}
	return p.shownTo(access.Caller(), v.Role)
}

// collect returns the inputs of a proposal, and the signatures for them in files.
func collect(w wallet.Wallet, p Proposal, files [][]byte) (inputs []psbt.Input, signatures []psbt.Signature, err error) {
	posted := make([]psbt.Posted, len(files))
	for i, data := range files {
		if posted[i], err = psbt.Decode(data); err != nil {
			return nil, nil, err
		}
	}
	if inputs, err = inputsOf(w, p); err != nil {
		return nil, nil, err
	}
	stored, err := psbt.Parse(p.PSBT)
	if err != nil {
		return nil, nil, fmt.Errorf("read the PSBT of proposal %s: %w", p.ID, err)
	}
	type place struct{ input, key int }
	seen := map[place]bool{}
	for _, one := range posted {
		found, err := psbt.Collect(stored, inputs, one)
		if err != nil {
			return nil, nil, err
		}
		for _, sig := range found {
			if at := (place{sig.Input, sig.Key}); !seen[at] {
				seen[at], signatures = true, append(signatures, sig)
			}
		}
	}
	return inputs, signatures, nil
}

// merge adds the signatures that a proposal does not have yet, and updates its status. If
// it becomes complete, merge also stores the signed transaction.
func (s *Service) merge(who *auth.Principal, v wallet.View, u *Update, inputs []psbt.Input, signatures []psbt.Signature) error {
	now, by := s.now(), actorOf(who)
	packet, err := u.add(v.Wallet, inputs, signatures, by, now)
	if err != nil || packet == nil {
		return err
	}
	switch {
	case u.Status == Complete:
	case u.isComplete(len(inputs), v.SignaturesRequired):
		raw, err := packet.Finalize(inputs)
		if err != nil {
			return fmt.Errorf("finalize proposal %s: %w", u.ID, err)
		}
		u.Raw = raw
		if u.FinalTxid, u.VSize, err = describe(raw); err != nil {
			return err
		}
		u.moveTo(Complete, by, "", now)
	case u.Status == Created:
		u.moveTo(PartiallySigned, by, "", now)
	}
	u.Changed, u.Event = true, who.Event(now, "proposal.sign", u.ID, "wallet "+v.ID)
	return nil
}

// add adds the signatures that the proposal does not have yet, and a step that names
// their keys. It returns the PSBT with the signatures, or nil if there was nothing to
// add.
func (p *Proposal) add(w wallet.Wallet, inputs []psbt.Input, signatures []psbt.Signature, by Actor, now time.Time) (with *psbt.Packet, err error) {
	missing := slices.DeleteFunc(slices.Clone(signatures), func(sig psbt.Signature) bool { return p.hasSignature(sig.Input, sig.Key) })
	if len(missing) == 0 {
		return nil, nil
	}
	stored, err := psbt.Parse(p.PSBT)
	if err != nil {
		return nil, fmt.Errorf("read the PSBT of proposal %s: %w", p.ID, err)
	}
	with = stored.WithSignatures(inputs, missing)
	p.PSBT = with.Bytes()
	for _, sig := range missing {
		p.Signatures = append(p.Signatures, Signature{Input: sig.Input, Key: sig.Key, At: now, By: by})
	}
	detail := "by " + strings.Join(signersOf(w, missing), ", ")
	p.Steps = append(p.Steps, Step{At: now, Action: "signed", By: by, Detail: detail})
	return with, nil
}

// adopt adds the signatures of raw, the proposal's transaction as it was signed and sent
// elsewhere. If AddSignatures would refuse them, the proposal is not changed.
func (p *Proposal) adopt(w wallet.Wallet, raw []byte, now time.Time) {
	inputs, err := inputsOf(w, *p)
	if err != nil {
		return
	}
	stored, err := psbt.Parse(p.PSBT)
	if err != nil {
		return
	}
	sent, err := psbt.Decode(raw)
	if err != nil {
		return
	}
	signatures, err := psbt.Collect(stored, inputs, sent)
	if err != nil {
		return
	}
	// The PSBT of an ended proposal has lost its signatures, but p.Signatures still
	// records them, so that add skips them.
	p.PSBT = stored.WithSignatures(inputs, signatures).Bytes()
	_, _ = p.add(w, inputs, signatures, Actor{}, now)
}

func (p *Proposal) hasSignature(input, key int) bool {
	return slices.ContainsFunc(p.Signatures, func(s Signature) bool { return s.Input == input && s.Key == key })
}

// isComplete reports whether every input has the required number of signatures.
func (p *Proposal) isComplete(inputs, required int) bool {
	for i := range inputs {
		if p.signaturesAt(i) < required {
			return false
		}
	}
	return true
}

func (p *Proposal) signaturesAt(input int) int {
	n := 0
	for _, s := range p.Signatures {
		if s.Input == input {
			n++
		}
	}
	return n
}

// Signed returns how many inputs a key has signed.
func (p *Proposal) Signed(key int) int {
	n := 0
	for _, s := range p.Signatures {
		if s.Key == key {
			n++
		}
	}
	return n
}

// signersOf returns the fingerprints of the keys that made signatures.
func signersOf(w wallet.Wallet, signatures []psbt.Signature) []string {
	var all []string
	for _, sig := range signatures {
		if name := w.Keys[sig.Key].Fingerprint; !slices.Contains(all, name) {
			all = append(all, name)
		}
	}
	return all
}

// inputsOf returns the data that is required to verify signatures of a proposal.
func inputsOf(w wallet.Wallet, p Proposal) ([]psbt.Input, error) {
	k, err := newKeyring(w)
	if err != nil {
		return nil, err
	}
	return k.inputs(p.Inputs)
}
