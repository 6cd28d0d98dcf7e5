package console_test

import (
	"encoding/json"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/net/html"

	"github.com/specterd/specterd/internal/testenv/testkit"
)

const newWalletPath = "/wallets/new"

// regtestFile returns a file of a hardware wallet or another program, with keys for regtest.
func regtestFile(t *testing.T, name string) file {
	t.Helper()
	return file{"file", name, testkit.Must(os.ReadFile(filepath.Join("..", "walletfile", "testdata", "regtest", name)))}
}

// send sends the form of a step with files and changed fields, pairs of a name and a value.
func (d *document) send(files []file, changes ...string) *document {
	d.by.t.Helper()
	values := url.Values{}
	if forms := d.forms(newWalletPath); len(forms) > 0 {
		values = fields(forms[0])
	}
	for name, value := range pairs(changes) {
		values[name] = value
	}
	return d.by.upload(newWalletPath, values, files...)
}

// minedNode starts a node that has left its initial block download.
func minedNode(t *testing.T) *testkit.Node {
	t.Helper()
	n := testkit.Bitcoind(t)
	n.Mine(t, 1)
	return n
}

// vaultFiles are the files of the three devices of a 2-of-3 multisig wallet.
var vaultFiles = []string{"coldcard.json", "key-jade.txt", "key-spare.txt"}

// vaultFilesOf returns the files of the devices of the vault.
func vaultFilesOf(t *testing.T) (files []file) {
	t.Helper()
	for _, name := range vaultFiles {
		files = append(files, regtestFile(t, name))
	}
	return files
}

// compareVault walks to the last step before the vault is created.
func (v *visitor) compareVault(name string) *document {
	v.t.Helper()
	p := v.get(newWalletPath).send(vaultFilesOf(v.t), "signatures_required", "2", "step", "check")
	return p.want(200).send(nil, "name", name, "since", "now", "step", "compare")
}

// createVault creates the vault with the pages.
func (v *visitor) createVault(name string) {
	v.t.Helper()
	p := v.compareVault(name).want(200).send(nil, "step", "create")
	if !strings.HasPrefix(p.path(), "/wallets/") || p.path() == newWalletPath {
		v.t.Fatalf("the wallet %s was not created: %s", name, p.text())
	}
}

// vaultWith opens a server on which olga has created the wallet vault with the pages, and ben has
// accepted her invitation to it.
func vaultWith(t *testing.T, role string) (s *site, olga, ben *visitor) {
	t.Helper()
	s = open(t, onNode(minedNode(t)))
	olga, ben = s.user(t, "olga", false), s.user(t, "ben", false)
	olga.createVault("Vault")
	olga.get("/wallets/vault/members").submit("/wallets/vault/members", "user", "ben", "role", role).want(200)
	ben.accept()
	return s, olga, ben
}

// addressesOf returns the addresses in groups on a page.
func (d *document) addressesOf() (out []string) {
	for _, n := range d.all("code", func(n *html.Node) bool { return attr(n, "class") == "addr" }) {
		out = append(out, strings.ReplaceAll(textOf(n), " ", ""))
	}
	return out
}

// descriptorOf returns the descriptor on a page.
func (d *document) descriptorOf() string {
	for _, n := range d.all("pre", nil) {
		return textOf(n)
	}
	return ""
}

// TestNewWallet_DeviceFiles creates a vault from a file of each device, and compares the
// addresses with Bitcoin Core's.
func TestNewWallet_DeviceFiles(t *testing.T) {
	t.Parallel()
	n := minedNode(t)
	onEachEngine(t, func(t *testing.T, s *site) {
		v := s.user(t, "olga", false)
		check := v.get(newWalletPath).want(200, "What do you have?").send(vaultFilesOf(t), "signatures_required", "2", "step", "check")
		check.want(200, "2 of 3 signatures", "Native segwit multisig (P2WSH)", "73c5da0a", "b8688df1", "28645006", "m/48h/1h/0h/2h", "coldcard.json (Coldcard export)", "Nothing is stored yet.")
		compare := check.send(nil, "name", "Family Vault", "since", "now", "step", "compare")
		compare.want(200, "Compare these addresses", "Family Vault", "The wallet is new")
		if s.count(t, "wallets") != 0 {
			t.Error("a wallet was stored before it was created")
		}
		var both [2][]string // receive and change
		testkit.Check(t, json.Unmarshal(n.CLI(t, "deriveaddresses", check.descriptorOf(), []int{0, 2}), &both))
		got := compare.addressesOf()
		if want := slices.Concat(both[0], both[1]); !slices.Equal(got, want) || len(got) != 6 {
			t.Errorf("the page has the addresses\n%v, Bitcoin Core has\n%v", got, want)
		}
		created := compare.send(nil, "step", "create")
		if created.at.RequestURI() != "/wallets/family_vault?done=wallet-created" {
			t.Fatalf("%s: %s", created.at, created.text())
		}
		if again := compare.send(nil, "step", "create"); again.at.RequestURI() != "/wallets/family_vault?done=wallet-exists" || s.count(t, "wallets") != 1 {
			t.Errorf("the same form again leads to %s; there are %d wallets", again.at, s.count(t, "wallets"))
		}
		other := check.send(nil, "name", "Other name", "since", "now", "step", "compare").want(409, "these descriptors")
		if links := other.all("a", func(n *html.Node) bool {
			return attr(n, "href") == "/wallets/family_vault" && strings.Contains(textOf(n), "Open")
		}); len(links) != 1 {
			t.Errorf("%d links to the existing wallet", len(links))
		}
		same := v.get(newWalletPath).send(vaultFilesOf(t), "signatures_required", "2", "step", "check")
		same.want(200, "You already have this wallet", "key 1 is also used", "key 3 is also used")
		if n := strings.Count(same.text(), "You use a key in another wallet"); n != 1 {
			t.Errorf("the warning about keys is shown %d times", n)
		}
		same.follow("Open the existing wallet").want(200, "Family Vault")
	}, onNode(n))
}

// TestNewWallet_SentTwice sends the form that creates a wallet twice at the same time.
func TestNewWallet_SentTwice(t *testing.T) {
	t.Parallel()
	s := open(t, onNode(minedNode(t)))
	compare := s.admin(t).compareVault("Vault").want(200)
	ends := make([]string, 4)
	var all sync.WaitGroup
	for i := range ends {
		all.Go(func() { ends[i] = compare.send(nil, "step", "create").path() })
	}
	all.Wait()
	for _, end := range ends {
		if end != "/wallets/vault" {
			t.Errorf("one of the forms leads to %s", end)
		}
	}
	if n := s.count(t, "wallets"); n != 1 {
		t.Errorf("%d wallets", n)
	}
}

// TestNewWallet_OneFileAfterTheOther adds the files of the signers in several requests, and
// leaves one out.
func TestNewWallet_OneFileAfterTheOther(t *testing.T) {
	t.Parallel()
	s := open(t, onNode(minedNode(t)))
	v := s.admin(t)
	p := v.get(newWalletPath).send([]file{regtestFile(t, "key-multisig.txt")}, "step", "check")
	p.want(200, "This is the key of one signer", "key-multisig.txt", "73c5da0a")
	p = p.send([]file{regtestFile(t, "key-jade.txt")}, "step", "check")
	p.want(400, "Must be a number from 1 to the number of keys, 2", "key-jade.txt", "b8688df1")
	p = p.send(nil, "text", string(regtestFile(t, "key-spare.txt").content), "signatures_required", "2", "step", "check")
	p.want(200, "2 of 3 signatures", "Pasted text")
	p = p.send(nil, "step", "source").want(200, "Read so far", "28645006")
	p = p.send(nil, "omit", "1", "signatures_required", "1", "step", "check").want(200, "1 of 2 signatures")
	if strings.Contains(p.text(), "b8688df1") {
		t.Error("the file that was left out is still there")
	}
	two := textOfFile(t, "key-jade.txt") + "\n" + textOfFile(t, "key-spare.txt")
	v.get(newWalletPath).send(nil, "text", two, "signatures_required", "2", "step", "check").want(200, "2 of 2 signatures")
	v.get(newWalletPath).send(nil, "text", string(regtestFile(t, "descriptor.txt").content), "step", "check").want(200, "one key")
}

// TestNewWallet_Problems checks that a page names all problems at once, keeps what the user
// entered, and stores nothing.
func TestNewWallet_Problems(t *testing.T) {
	t.Parallel()
	s := open(t, onNode(minedNode(t)))
	v := s.admin(t)
	source := func(files []file, changes ...string) *document {
		return v.get(newWalletPath).send(files, append(changes, "step", "check")...)
	}
	source(nil).want(400, "Is required: choose a file, or paste a text")
	source([]file{{"file", "notes.txt", []byte("hello")}}, "text", "<b>x").want(400, "notes.txt has no known format", "The text is not repeated").lacks("hello", "<b>x")
	source(vaultFilesOf(t), "signatures_required", "4").want(400, "Must be a number from 1 to the number of keys, 3", "coldcard.json")
	source([]file{regtestFile(t, "wallet.bsms"), regtestFile(t, "key-jade.txt")}, "signatures_required", "2").want(400, "Is a wallet and not the key of one signer")
	source([]file{{"file", "big.txt", make([]byte, 2<<20)}}).want(400, "Must be at most 1 MiB in total")
	many := make([]file, 21)
	for i := range many {
		many[i] = file{"file", "x", []byte(strings.Repeat("x", i+1))}
	}
	source(many).want(400, "Must be at most 20 files")
	v.upload(newWalletPath, url.Values{"data": {"%%%"}, "step": {"create"}}).want(400, "Was damaged on the way")

	check := source(vaultFilesOf(t), "signatures_required", "2").want(200)
	for name, c := range map[string]struct {
		changes []string
		want    []string
	}{
		"nothing":    {nil, []string{"Must be 1 to 64 characters long", "Is required: choose one of the answers"}},
		"no date":    {[]string{"name", "V", "since", "date"}, []string{"enter the date or the block height"}},
		"the future": {[]string{"name", "V", "since", "date", "date", "2999-01-01"}, []string{"Must not be in the future"}},
		"a height":   {[]string{"name", "V", "since", "height", "height", "9999"}, []string{"the height of the chain"}},
		"an alias":   {[]string{"name", "V", "alias", "Not An Alias", "since", "now"}, []string{"Must consist of lower-case letters"}},
		"a script":   {[]string{"name", "V", "since", "now", "script", "pkh"}, []string{"Must be one of those in all files"}},
	} {
		t.Run(name, func(*testing.T) {
			for _, step := range []string{"compare", "create"} {
				check.send(nil, append(c.changes, "step", step)...).want(400, c.want...)
			}
		})
	}
	if n := s.count(t, "wallets"); n != 0 {
		t.Errorf("%d wallets were stored", n)
	}
}

// TestNewWallet_AnotherAlias shows that a taken alias is a problem of the field.
func TestNewWallet_AnotherAlias(t *testing.T) {
	t.Parallel()
	s := open(t, onNode(minedNode(t)))
	v := s.admin(t)
	v.createVault("Vault")
	single := v.get(newWalletPath).send([]file{regtestFile(t, "coldcard.json")}, "step", "check").want(200, "one key", "Native segwit (P2WPKH)", "There are several types of addresses")
	single.send(nil, "name", "Vault", "since", "now", "step", "create").want(409, "a wallet with this alias").lacks("Open the existing wallet")
	created := single.send(nil, "name", "Vault", "alias", "vault_2", "since", "height", "height", "0", "script", "tr", "step", "compare").want(200, "Taproot", "from block 0 on").send(nil, "step", "create")
	if created.at.RequestURI() != "/wallets/vault_2?done=wallet-created" {
		t.Errorf("%s: %s", created.at, created.text())
	}
}

// TestNewWallet_PrivateKeys sends every file with a private key that the reader knows. None is
// accepted, shown again, logged or stored.
func TestNewWallet_PrivateKeys(t *testing.T) {
	t.Parallel()
	s := open(t, onNode(minedNode(t)))
	v := s.admin(t)
	var files map[string]struct{ File, Secret string }
	testkit.Check(t, json.Unmarshal(testkit.Must(os.ReadFile("../walletfile/testdata/private-regtest.json")), &files))
	if len(files) < 40 {
		t.Fatalf("%d files", len(files))
	}
	var secrets testkit.Secrets
	for name, c := range files {
		secrets.Add(name, c.Secret)
		for _, p := range []*document{
			v.get(newWalletPath).send(nil, "text", c.File, "step", "check"),
			v.get(newWalletPath).send([]file{{"file", "backup.json", []byte(c.File)}, regtestFile(t, "key-jade.txt")}, "signatures_required", "1", "step", "create", "name", "x", "since", "now"),
		} {
			if p.status != 400 || len(secrets.Find(p.body)) > 0 {
				t.Errorf("%s: %d %v", name, p.status, secrets.Find(p.body))
			}
		}
	}
	p := v.get(newWalletPath).send(nil, "text", files["xprv"].File+"tprv8ZgxMBicQKsPd7Uf69XL1XwhmjHopUGep8GuEiJDZmbQz6o58LninorQAfcKZWARbtRtfnLcJ5MQ2AtHcQJCCRUcMRvmDUjyEmNUWwx8UbK", "step", "check")
	p.want(400, "A private key or seed words were refused", "move them to new keys")
	if found := secrets.Find(s.log.String()); len(found) > 0 {
		t.Errorf("the log has %v", found)
	}
	if n := s.count(t, "wallets"); n != 0 {
		t.Errorf("%d wallets were stored", n)
	}
}
