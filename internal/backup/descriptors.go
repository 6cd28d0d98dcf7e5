package backup

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/walletexport"
)

func writeReadme(out io.Writer, m Manifest) error {
	_, err := fmt.Fprintf(out, `This is a backup of specterd, made by %s at %s.

Keep it where only you can read it. It has no private key, and nothing with which
coins can be spent; but it has the hashes of passwords, and who has which wallet,
which addresses, and how much.

  manifest.json     what is in it, and the hash of each file
  tables/           all that the database had, a file a table and a line a row
  descriptors.txt   the wallets, for people, and for other programs

To have everything back, in an empty place:

  specterd restore FILE

To look whether the file is whole, and what is in it:

  specterd restore --check FILE

Without specterd, descriptors.txt has what any wallet needs to find all addresses and
coins again. It can only watch: to spend, the devices that hold the keys are needed.
`, m.Program, m.MadeAt.Format(time.RFC3339))
	return err
}

const descriptorsHead = `The wallets of this backup.

A receive and a change descriptor are all that it takes to find the addresses and the
coins of a wallet. Wallets that read one descriptor for both take the one with <0;1>.
The three commands have Bitcoin Core watch a wallet, and look for its history; the last
takes minutes or hours. Labels, members and proposals are in tables/.
`

// writeDescriptors writes what a person needs to have wallets without specterd. What
// people typed is quoted, so that it cannot pass for anything else.
func writeDescriptors(out io.Writer, wallets []Wallet) error {
	var b bytes.Buffer
	b.WriteString(descriptorsHead)
	if len(wallets) == 0 {
		b.WriteString("\nThere are none.\n")
	}
	for _, w := range wallets {
		if err := writeWallet(&b, w); err != nil {
			return fmt.Errorf("wallet %s: %w", w.ID, err)
		}
	}
	_, err := out.Write(b.Bytes())
	return err
}

func writeWallet(b *bytes.Buffer, w Wallet) error {
	request, err := walletexport.ImportFromNow(w.Wallet)
	if err != nil {
		return err
	}
	members := make([]string, len(w.Members))
	for i, m := range w.Members {
		members[i] = fmt.Sprintf("%q (%s)", m.UserName, m.Role)
	}
	name := "'" + strings.ReplaceAll(w.CoreName, "'", "") + "'" // for a shell
	fmt.Fprintf(b, `
Wallet      %q
members     %s
kind        %s, %d of %d keys sign
born        no transactions before block %d
handed out  %d addresses to receive at, %d for change
receive     %s
change      %s
both        %s

bitcoin-cli -named createwallet wallet_name=%s disable_private_keys=true blank=true
bitcoin-cli -rpcwallet=%[12]s importdescriptors '%[13]s'
bitcoin-cli -rpcclienttimeout=0 -rpcwallet=%[12]s rescanblockchain %[6]d
`, w.Name, strings.Join(members, ", "), w.Script, w.Required, len(w.Keys), w.Birth, w.ReceiveNext, w.ChangeNext,
		w.Receive, w.Change, btc.Multipath(w.Receive, w.Change), name, request)
	return nil
}
