package psbt_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcutil/hdkeychain"
	"github.com/btcsuite/btcd/chaincfg"
	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/btcsuite/btcd/txscript"
	"github.com/btcsuite/btcd/wire"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/psbt"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

// The following types and functions are an independent parser and serializer of
// PSBTs.

type kv struct{ key, value []byte }

type rawPSBT struct {
	global  []kv
	in, out [][]kv
}

func readRaw(t testing.TB, data []byte) rawPSBT {
	t.Helper()
	r := bytes.NewReader(data)
	if head := make([]byte, 5); testkit.Value(r.Read(head))(t) != 5 || string(head) != "psbt\xff" {
		t.Fatal("no magic")
	}
	readMap := func() (m []kv) {
		for {
			key := testkit.Value(wire.ReadVarBytes(r, 0, 1<<23, ""))(t)
			if len(key) == 0 {
				return m
			}
			m = append(m, kv{key, testkit.Value(wire.ReadVarBytes(r, 0, 1<<23, ""))(t)})
		}
	}
	p := rawPSBT{global: readMap()}
	tx := wire.NewMsgTx(2)
	if err := tx.DeserializeNoWitness(bytes.NewReader(find(p.global, 0))); err != nil {
		t.Fatal(err)
	}
	for range tx.TxIn {
		p.in = append(p.in, readMap())
	}
	for range tx.TxOut {
		p.out = append(p.out, readMap())
	}
	return p
}

func (p rawPSBT) bytes() []byte {
	b := bytes.NewBufferString("psbt\xff")
	for _, m := range slices.Concat([][]kv{p.global}, p.in, p.out) {
		for _, f := range m {
			_ = wire.WriteVarBytes(b, 0, f.key)
			_ = wire.WriteVarBytes(b, 0, f.value)
		}
		b.WriteByte(0)
	}
	return b.Bytes()
}

func (p rawPSBT) clone() rawPSBT {
	deep := func(m []kv) []kv {
		c := make([]kv, 0, len(m))
		for _, f := range m {
			c = append(c, kv{bytes.Clone(f.key), bytes.Clone(f.value)})
		}
		return c
	}
	c := rawPSBT{global: deep(p.global)}
	for _, m := range p.in {
		c.in = append(c.in, deep(m))
	}
	for _, m := range p.out {
		c.out = append(c.out, deep(m))
	}
	return c
}

// find returns the value of a field whose key has no key data.
func find(m []kv, fieldType byte) []byte {
	for _, f := range m {
		if len(f.key) == 1 && f.key[0] == fieldType {
			return f.value
		}
	}
	return nil
}

// set sets or adds a field; remove removes the fields of a type.
func set(m *[]kv, key, value []byte) {
	for i, f := range *m {
		if bytes.Equal(f.key, key) {
			(*m)[i].value = value
			return
		}
	}
	*m = append(*m, kv{key, value})
}

func remove(m *[]kv, fieldType byte) {
	*m = slices.DeleteFunc(*m, func(f kv) bool { return f.key[0] == fieldType })
}

// editTx changes the transaction of a PSBT.
func (p *rawPSBT) editTx(t testing.TB, edit func(*wire.MsgTx)) {
	t.Helper()
	tx := wire.NewMsgTx(2)
	if err := tx.DeserializeNoWitness(bytes.NewReader(find(p.global, 0))); err != nil {
		t.Fatal(err)
	}
	edit(tx)
	set(&p.global, []byte{0}, serialize(tx))
}

// version2 converts the PSBT to version 2.
func (p rawPSBT) version2(t testing.TB) rawPSBT {
	t.Helper()
	c := p.clone()
	tx := wire.NewMsgTx(2)
	if err := tx.DeserializeNoWitness(bytes.NewReader(find(p.global, 0))); err != nil {
		t.Fatal(err)
	}
	remove(&c.global, 0)
	set(&c.global, []byte{2}, le32(uint32(tx.Version)))
	set(&c.global, []byte{3}, le32(tx.LockTime))
	set(&c.global, []byte{4}, []byte{byte(len(tx.TxIn))})
	set(&c.global, []byte{5}, []byte{byte(len(tx.TxOut))})
	set(&c.global, []byte{0xfb}, le32(2))
	for i, in := range tx.TxIn {
		set(&c.in[i], []byte{0x0e}, in.PreviousOutPoint.Hash[:])
		set(&c.in[i], []byte{0x0f}, le32(in.PreviousOutPoint.Index))
		set(&c.in[i], []byte{0x10}, le32(in.Sequence))
	}
	for i, out := range tx.TxOut {
		set(&c.out[i], []byte{3}, le64(out.Value))
		set(&c.out[i], []byte{4}, out.PkScript)
	}
	return c
}

func le32(n uint32) []byte { return binary.LittleEndian.AppendUint32(nil, n) }
func le64(n int64) []byte  { return binary.LittleEndian.AppendUint64(nil, uint64(n)) }

func serialize(tx *wire.MsgTx) []byte {
	var b bytes.Buffer
	_ = tx.Serialize(&b)
	return b.Bytes()
}

func serializeTxOut(out *wire.TxOut) []byte {
	var b bytes.Buffer
	_ = wire.WriteTxOut(&b, 0, 0, out)
	return b.Bytes()
}

func serializeWitness(stack wire.TxWitness) []byte {
	var b bytes.Buffer
	_ = wire.WriteVarInt(&b, 0, uint64(len(stack)))
	for _, item := range stack {
		_ = wire.WriteVarBytes(&b, 0, item)
	}
	return b.Bytes()
}

// forms are the tested kinds of descriptors, with placeholders for the keys.
var forms = []struct {
	name     string
	kind     btc.Script
	form     string
	required int
	keys     int
}{
	{"pkh", btc.PKH, "pkh(%s)", 1, 1},
	{"wpkh", btc.WPKH, "wpkh(%s)", 1, 1},
	{"sh-wpkh", btc.ShWPKH, "sh(wpkh(%s))", 1, 1},
	{"tr", btc.TR, "tr(%s)", 1, 1},
	{"sh-multi", btc.Sh, "sh(multi(2,%s))", 2, 3},
	{"sh-sortedmulti", btc.Sh, "sh(sortedmulti(2,%s))", 2, 3},
	{"wsh-multi", btc.WSh, "wsh(multi(2,%s))", 2, 3},
	{"wsh-sortedmulti", btc.WSh, "wsh(sortedmulti(2,%s))", 2, 3},
	{"sh-wsh-multi", btc.ShWSh, "sh(wsh(multi(2,%s)))", 2, 3},
	{"sh-wsh-sortedmulti", btc.ShWSh, "sh(wsh(sortedmulti(2,%s)))", 2, 3},
	{"sh-15", btc.Sh, "sh(sortedmulti(9,%s))", 9, 15},
	{"wsh-20", btc.WSh, "wsh(sortedmulti(18,%s))", 18, 20},
}

// wallet is a descriptor with its private keys.
type wallet struct {
	name            string
	kind            btc.Script
	required        int
	accounts        []*hdkeychain.ExtendedKey
	keys            []btc.Key
	descriptors     [2]btc.Descriptor
	receive, change *btc.Deriver
}

// wallets caches created wallets, because creating one is slow.
var wallets sync.Map

func newWallet(t testing.TB, name string) *wallet {
	t.Helper()
	if w, ok := wallets.Load(name); ok {
		return w.(*wallet)
	}
	for _, f := range forms {
		if f.name != name {
			continue
		}
		w := &wallet{name: name, kind: f.kind, required: f.required}
		var texts []string
		for k := range f.keys {
			text, account := newKey(t, byte(k))
			w.accounts = append(w.accounts, account)
			texts = append(texts, text+"/<0;1>/*")
		}
		d := testkit.Value(btc.ParseDescriptor(fmt.Sprintf(f.form, strings.Join(texts, ",")), btc.Regtest))(t)
		w.keys = d.Keys()
		receive, change := d.Split()
		w.descriptors = [2]btc.Descriptor{receive, change}
		w.receive, w.change = testkit.Value(receive.Deriver())(t), testkit.Value(change.Deriver())(t)
		wallets.Store(name, w)
		return w
	}
	t.Fatalf("unknown form %s", name)
	return nil
}

const hard = hdkeychain.HardenedKeyStart

// newKey returns the account key m/48h/1h/0h of a test master key: as a public key
// expression with its origin (BIP-380), and as an extended private key.
func newKey(t testing.TB, number byte) (string, *hdkeychain.ExtendedKey) {
	t.Helper()
	key := testkit.Value(hdkeychain.NewMaster(bytes.Repeat([]byte{number + 1}, 32), &chaincfg.RegressionNetParams))(t)
	child := testkit.Value(key.Derive(hard))(t)
	fingerprint := child.ParentFingerprint()
	for _, step := range []uint32{hard + 48, hard + 1, hard} {
		key = testkit.Value(key.Derive(step))(t)
	}
	return fmt.Sprintf("[%08x/48h/1h/0h]%s", fingerprint, testkit.Value(key.Neuter())(t)), key
}

// payment is a transaction of a wallet to an external address, with change.
type payment struct {
	*wallet

	t      testing.TB
	inputs []psbt.Input
	own    []*btc.Solution
	tx     *wire.MsgTx
	from   []*wire.MsgTx // for each input, the transaction that it spends from
}

var stranger = append([]byte{0x00, 0x14}, bytes.Repeat([]byte{0x77}, 20)...)

// pay spends two UTXOs, one of each branch. Output 0 is the payment, output 1 is
// change.
func (w *wallet) pay(t testing.TB) *payment {
	t.Helper()
	p := &payment{wallet: w, t: t, tx: wire.NewMsgTx(2)}
	p.tx.LockTime = 186
	for i, deriver := range []*btc.Deriver{w.receive, w.change} {
		solution := testkit.Value(deriver.Solve(uint32(7 + i)))(t)
		from := wire.NewMsgTx(2)
		from.AddTxIn(wire.NewTxIn(&wire.OutPoint{Hash: chainhash.Hash{byte(i + 1)}, Index: 3}, nil, wire.TxWitness{{1, 2, 3}}))
		from.AddTxOut(wire.NewTxOut(5000, stranger))
		from.AddTxOut(wire.NewTxOut(int64(100_000*(i+1)), solution.Script))
		p.from = append(p.from, from)
		txIn := wire.NewTxIn(wire.NewOutPoint(ptr(from.TxHash()), 1), nil, nil)
		txIn.Sequence = wire.MaxTxInSequenceNum - 2
		p.tx.AddTxIn(txIn)
		p.inputs = append(p.inputs, psbt.Input{
			Outpoint: btc.Outpoint{Txid: from.TxID(), Vout: 1}, Amount: btc.Amount(100_000 * (i + 1)), Kind: w.kind, SignaturesRequired: w.required, Solution: solution,
		})
	}
	change := testkit.Value(w.change.Solve(9))(t)
	p.tx.AddTxOut(wire.NewTxOut(250_000, stranger))
	p.tx.AddTxOut(wire.NewTxOut(49_000, change.Script))
	p.own = []*btc.Solution{nil, &change}
	return p
}

func ptr[T any](v T) *T { return &v }

// created returns the PSBT that a node would create for the payment.
func (p *payment) created() rawPSBT {
	raw := rawPSBT{global: []kv{{[]byte{0}, serialize(p.tx)}}, out: make([][]kv, len(p.tx.TxOut))}
	for i, in := range p.inputs {
		m := []kv{}
		if p.kind != btc.TR {
			m = append(m, kv{[]byte{0}, serialize(p.from[i])})
		}
		if p.kind != btc.PKH && p.kind != btc.Sh {
			m = append(m, kv{[]byte{1}, serializeTxOut(p.from[i].TxOut[1])})
		}
		raw.in = append(raw.in, append(m, solutionFields(p.kind, in.Solution, 4, 5, 6, 0x16, 0x17)...))
	}
	for i, own := range p.own {
		if own != nil {
			raw.out[i] = solutionFields(p.kind, *own, 0, 1, 2, 7, 5)
		}
	}
	return raw
}

func solutionFields(kind btc.Script, s btc.Solution, redeem, witness, bip32, tapBIP32, tapKey byte) (m []kv) {
	if s.RedeemScript != nil {
		m = append(m, kv{[]byte{redeem}, s.RedeemScript})
	}
	if s.WitnessScript != nil {
		m = append(m, kv{[]byte{witness}, s.WitnessScript})
	}
	for _, key := range s.Keys {
		origin := key.Fingerprint[:]
		for _, step := range key.Path {
			origin = append(origin[:len(origin):len(origin)], le32(step)...)
		}
		if kind == btc.TR {
			m = append(m,
				kv{append([]byte{tapBIP32}, key.PubKey[1:]...), append([]byte{0}, origin...)},
				kv{[]byte{tapKey}, key.PubKey[1:]})
		} else {
			m = append(m, kv{append([]byte{bip32}, key.PubKey...), origin})
		}
	}
	return m
}

// stored returns the stored PSBT of the payment, after verification.
func (p *payment) stored() *psbt.Packet {
	p.t.Helper()
	packet := testkit.Value(psbt.Parse(p.created().bytes()))(p.t)
	if err := psbt.Verify(packet, p.inputs, p.own); err != nil {
		p.t.Fatal(err)
	}
	return packet
}

// wantNew checks that the PSBT that New creates from our own data equals the PSBT of the
// node.
func (p *payment) wantNew(created *psbt.Packet) {
	p.t.Helper()
	previous := make([]*wire.MsgTx, len(p.inputs))
	for i := range previous {
		previous[i] = created.Input(i).NonWitnessUTXO
	}
	made := testkit.Value(psbt.New(p.tx, p.inputs, previous, p.own))(p.t)
	if err := psbt.Verify(made, p.inputs, p.own); err != nil {
		p.t.Error(err)
	}
	if !bytes.Equal(made.Bytes(), created.Bytes()) {
		p.t.Errorf("got\n%x, want\n%x", made.Bytes(), created.Bytes())
	}
}

// private returns the private key that signs an input.
func (p *payment) private(input, key int) *btcec.PrivateKey {
	p.t.Helper()
	path := p.inputs[input].Solution.Keys[key].Path
	k := p.accounts[key]
	for _, step := range path[len(path)-2:] {
		k = testkit.Value(k.Derive(step))(p.t)
	}
	return testkit.Value(k.ECPrivKey())(p.t)
}

// sign signs an input of a transaction, which may differ from the payment's, with
// functions of txscript that Verify and Collect do not use.
func (p *payment) sign(tx *wire.MsgTx, input, key int, hashType txscript.SigHashType) []byte {
	p.t.Helper()
	outputs := txscript.NewMultiPrevOutFetcher(nil)
	for i, in := range tx.TxIn {
		outputs.AddPrevOut(in.PreviousOutPoint, p.from[i].TxOut[1])
	}
	hashes := txscript.NewTxSigHashes(tx, outputs)
	private, solution, amount := p.private(input, key), p.inputs[input].Solution, p.from[input].TxOut[1].Value
	switch p.kind {
	case btc.TR:
		if hashType == txscript.SigHashAll {
			hashType = txscript.SigHashDefault
		}
		return testkit.Value(txscript.RawTxInTaprootSignature(tx, hashes, input, amount, solution.Script, nil, hashType, private))(p.t)
	case btc.PKH:
		return testkit.Value(txscript.RawTxInSignature(tx, input, solution.Script, hashType, private))(p.t)
	case btc.Sh:
		return testkit.Value(txscript.RawTxInSignature(tx, input, solution.RedeemScript, hashType, private))(p.t)
	case btc.WPKH:
		return testkit.Value(txscript.RawTxInWitnessSignature(tx, hashes, input, amount, solution.Script, hashType, private))(p.t)
	case btc.ShWPKH:
		return testkit.Value(txscript.RawTxInWitnessSignature(tx, hashes, input, amount, solution.RedeemScript, hashType, private))(p.t)
	default:
		return testkit.Value(txscript.RawTxInWitnessSignature(tx, hashes, input, amount, solution.WitnessScript, hashType, private))(p.t)
	}
}

// signed returns the PSBT with the signatures of some keys on each input.
func (p *payment) signed(keys ...int) rawPSBT {
	raw := p.created()
	for i := range p.inputs {
		for _, k := range keys {
			p.addSignature(&raw, i, k, p.sign(p.tx, i, k, txscript.SigHashAll))
		}
	}
	return raw
}

func (p *payment) addSignature(raw *rawPSBT, input, key int, signature []byte) {
	if p.kind == btc.TR {
		set(&raw.in[input], []byte{0x13}, signature)
		return
	}
	set(&raw.in[input], append([]byte{2}, p.inputs[input].Solution.Keys[key].PubKey...), signature)
}

// enough returns the positions of the first keys, as many as an input requires.
func (p *payment) enough() []int {
	var keys []int
	for k := range p.required {
		keys = append(keys, k)
	}
	return keys
}

// final returns the transaction, signed with the required number of keys.
func (p *payment) final() *wire.MsgTx {
	p.t.Helper()
	stored := p.stored()
	signatures := testkit.Value(p.collect(stored, p.signed(p.enough()...).bytes()))(p.t)
	raw := testkit.Value(stored.WithSignatures(p.inputs, signatures).Finalize(p.inputs))(p.t)
	tx := wire.NewMsgTx(2)
	if err := tx.Deserialize(bytes.NewReader(raw)); err != nil {
		p.t.Fatal(err)
	}
	return tx
}

// finalized returns the PSBT with the final fields of a transaction.
func (p *payment) finalized(tx *wire.MsgTx) rawPSBT {
	raw := p.created()
	for i, in := range tx.TxIn {
		if len(in.SignatureScript) > 0 {
			set(&raw.in[i], []byte{7}, in.SignatureScript)
		}
		if len(in.Witness) > 0 {
			set(&raw.in[i], []byte{8}, serializeWitness(in.Witness))
		}
	}
	return raw
}

// collect decodes posted data and collects its signatures.
func (p *payment) collect(stored *psbt.Packet, data []byte) ([]psbt.Signature, error) {
	posted, err := psbt.Decode(data)
	if err != nil {
		return nil, err
	}
	return psbt.Collect(stored, p.inputs, posted)
}

// after returns the bytes of a PSBT with the signatures from data added.
func (p *payment) after(stored *psbt.Packet, data []byte) ([]byte, error) {
	signatures, err := p.collect(stored, data)
	if err != nil {
		return nil, err
	}
	return stored.WithSignatures(p.inputs, signatures).Bytes(), nil
}

// withHighS returns an ECDSA signature with its S replaced by N-S, which is valid
// but not relayed.
func withHighS(t testing.TB, signature []byte) []byte {
	t.Helper()
	rLength := int(signature[3])
	r := signature[4 : 4+rLength]
	s := signature[6+rLength : len(signature)-1]
	high := new(big.Int).Sub(btcec.S256().N, new(big.Int).SetBytes(s)).Bytes()
	if high[0] >= 0x80 {
		high = append([]byte{0}, high...)
	}
	der := slices.Concat([]byte{0x30, byte(4 + len(r) + len(high)), 2, byte(len(r))}, r, []byte{2, byte(len(high))}, high)
	return append(der, signature[len(signature)-1])
}
