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

Store it where only you can read it. It has no private keys and nothing else that can
spend funds. It does contain the hashes of passwords, and it reveals which wallets,
addresses and balances each user has.

  manifest.json     the contents, and the hash of each file
  tables/           the whole database, one file per table and one line per row
  descriptors.txt   the wallets, for people and for other programs

To restore it into an empty data directory or database:

  specterd restore FILE

To verify the file and show its contents:

  specterd restore --check FILE

Without specterd, descriptors.txt has everything that wallet software requires to find
all addresses and UTXOs again. It can only watch: spending requires the devices that
hold the private keys.
`, m.Program, m.MadeAt.Format(time.RFC3339))
	return err
}

const descriptorsHead = `The wallets of this backup.

A receive descriptor and a change descriptor are sufficient to find the addresses and
UTXOs of a wallet. For software that reads one descriptor for both, use the one with
<0;1>. The three commands make Bitcoin Core watch a wallet and rescan its history; the
last command takes minutes or hours. Labels, members and proposals are in tables/.
`

// writeDescriptors writes the data that is required to use the wallets without specterd.
// Texts that users entered are quoted, so that they cannot imitate other lines.
func writeDescriptors(out io.Writer, wallets []Wallet) error {
	var b bytes.Buffer
	b.WriteString(descriptorsHead)
	if len(wallets) == 0 {
		b.WriteString("\nThis backup has no wallets.\n")
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
	name := "'" + strings.ReplaceAll(w.CoreName, "'", "") + "'" // quoted for a shell
	fmt.Fprintf(b, `
Wallet      %q
members     %s
script      %s, %d of %d keys sign
birthday    no transactions before block %d
revealed    %d receive addresses, %d change addresses
receive     %s
change      %s
both        %s

bitcoin-cli -named createwallet wallet_name=%s disable_private_keys=true blank=true
bitcoin-cli -rpcwallet=%[12]s importdescriptors '%[13]s'
bitcoin-cli -rpcclienttimeout=0 -rpcwallet=%[12]s rescanblockchain %[6]d
`, w.Name, strings.Join(members, ", "), w.Script, w.SignaturesRequired, len(w.Keys), w.Birthday, w.ReceiveNext, w.ChangeNext,
		w.Receive, w.Change, btc.Multipath(w.Receive, w.Change), name, request)
	return nil
}
