package cli

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	api "github.com/specterd/specterd/api/v1"
	"github.com/specterd/specterd/client"
	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/idempotency"
	"github.com/specterd/specterd/internal/proposal"
)

// recipientsFlag is the flag with the path of a CSV file of recipients.
const recipientsFlag = "recipients"

// dryRunFlag is the flag of commands that only show what they would do.
const dryRunFlag = "dry-run"

// creation contains the flags of proposal create.
type creation struct {
	to, labels, from, subtract []string
	recipients                 string // path of a CSV file
	allowDuplicates            bool
	feeRate, maxFee, expires   string
	targetBlocks               int
	replaces, key, file        string
	evict, dryRun, replaceable bool
}

func (p *program) proposalCreateCommand(user *string) *cobra.Command {
	var c creation
	cmd := &cobra.Command{
		Use: "create ALIAS --to ADDRESS=AMOUNT", Short: "Create a proposal and reserve its UTXOs", Args: cobra.ExactArgs(1),
		Long: `Create a proposal and reserve its UTXOs.

AMOUNT has a unit: 50000sat or 0.0005BTC. With max, one address receives the remainder of
the selected UTXOs, or of the available balance. Instead of ADDRESS=AMOUNT, --to accepts a
bitcoin: URI that states the amount, and data:HEX, which stores data in the transaction
(OP_RETURN). --recipients reads a CSV file with the columns address, amount_sat or
amount_btc, and optionally label. The node must be running.`,
		Example: `  specterd proposal create vault --to bc1q…=0.25BTC --fee-rate 12.5 --psbt payment.psbt
  specterd proposal create vault --to bc1q…=max --from 4a5e…da33b:0
  specterd proposal create vault --to "bitcoin:bc1q…?amount=0.25&label=rent"
  specterd proposal create vault --recipients salaries.csv --dry-run`,
		RunE: p.withAPI(user, true, func(cmd *cobra.Command, to *connection, args []string) error {
			request, err := c.request(time.Now())
			if err != nil {
				return err
			}
			return p.addProposal(cmd, to, args[0], c.key, c.file, request, func(dryRun bool, options ...client.CallOption) (*api.ProposalDetails, error) {
				request := request
				request.DryRun = dryRun
				created, err := to.CreateProposal(cmd.Context(), args[0], request, options...)
				return created, to.unknownWallet(cmd.Context(), args[0], err)
			})
		}),
	}
	f := cmd.Flags()
	f.StringArrayVar(&c.to, "to", nil, "recipient and amount: ADDRESS=50000sat, ADDRESS=0.0005BTC, ADDRESS=max, a bitcoin: URI or data:HEX; may be repeated")
	f.StringVar(&c.recipients, recipientsFlag, "", "CSV file with the recipients, instead of --to")
	f.BoolVar(&c.allowDuplicates, "allow-duplicates", false, "allow several recipients to have the same address")
	f.StringArrayVar(&c.labels, "label", nil, "label of a recipient: ADDRESS=LABEL; may be repeated")
	f.StringSliceVar(&c.from, "from", nil, "the only UTXOs to spend, each as txid:vout (\"specterd wallet utxos\"), separated by commas; default Bitcoin Core selects")
	f.StringSliceVar(&c.subtract, "subtract-fee-from", nil, "addresses of the recipients that pay the fee, separated by commas; default the wallet pays it")
	f.StringVar(&c.feeRate, "fee-rate", "", "fee rate in sat/vB, up to the maximum of the wallet and the server; default the node's estimate for --target-blocks")
	f.IntVar(&c.targetBlocks, "target-blocks", 0, "confirmation target in blocks, 1 to 1008; default 6, if there is no --fee-rate")
	f.StringVar(&c.maxFee, "max-fee", "", "maximum fee, such as 5000sat; it can only lower the maximum of the wallet and the server")
	f.StringVar(&c.expires, "expires", "", "lifetime or time of expiry, such as \"7 days\" or 2026-12-31T12:00:00Z, up to 366 days; default SPECTER_PROPOSAL_DAYS")
	f.StringVar(&c.replaces, "replaces", "", "id of a proposal, or txid of an unconfirmed transaction, to replace")
	f.BoolVar(&c.replaceable, "replaceable", true, "signal that the transaction can be replaced (BIP-125)")
	f.BoolVar(&c.evict, "evict", false, "allow a replacement to evict later payments of others")
	addNewProposalFlags(cmd, &c.dryRun, &c.key, &c.file)
	cmd.MarkFlagsOneRequired("to", recipientsFlag)
	cmd.MarkFlagsMutuallyExclusive("to", recipientsFlag)
	_ = cmd.MarkFlagFilename(recipientsFlag, "csv")
	return addJSON(cmd)
}

// addNewProposalFlags adds the flags of the commands that create a proposal.
func addNewProposalFlags(cmd *cobra.Command, dryRun *bool, key, file *string) {
	cmd.Flags().BoolVar(dryRun, dryRunFlag, false, "print what would be proposed, and store and reserve nothing")
	cmd.Flags().StringVar(key, "idempotency-key", "", "unique text for this payment: the same command with the same key creates no second proposal within 24 hours")
	addPSBTFlag(cmd, file)
}

// request returns the request to the API.
func (c *creation) request(now time.Time) (api.CreateProposalRequest, error) {
	r := api.CreateProposalRequest{Replaces: c.replaces, Evict: c.evict, DryRun: c.dryRun, Duplicates: c.allowDuplicates, UTXOs: c.from}
	if !c.replaceable {
		r.Replaceable = new(false)
	}
	if c.targetBlocks != 0 {
		r.TargetBlocks = &c.targetBlocks
	}
	var problems []error
	check := func(err error) {
		if err != nil {
			problems = append(problems, err)
		}
	}
	check(c.setRecipients(&r))
	if c.recipients != "" {
		table, err := os.ReadFile(c.recipients)
		check(err)
		r.CSV = string(table)
		if err == nil && len(table) == 0 {
			check(fmt.Errorf("--recipients %s: the file is empty", c.recipients))
		}
	}
	for _, text := range c.from {
		if _, err := btc.ParseOutpoint(text); err != nil {
			check(fmt.Errorf("--from %s: must be txid:vout, with a txid of 64 hexadecimal digits", text))
		}
	}
	var err error
	if c.feeRate != "" {
		r.FeeRate, err = parseFeeRate(c.feeRate)
		check(err)
	}
	r.MaxFee, err = parseMaxFee(c.maxFee)
	check(err)
	if c.expires != "" {
		at, err := parseExpiry(c.expires, now)
		check(err)
		r.ExpiresAt = &at
	}
	check(c.checkKey())
	return r, errors.Join(problems...)
}

// checkKey refuses an idempotency key with a lifetime, which ends later at each repetition, so that
// the repetition would be another request.
func (c *creation) checkKey() error {
	if c.key == "" || c.expires == "" {
		return nil
	}
	if _, err := time.Parse(time.RFC3339, c.expires); err != nil {
		return errUsage("--expires must be a time, such as 2026-12-31T12:00:00Z, with --idempotency-key: a lifetime ends later at each repetition")
	}
	return nil
}

// setRecipients sets the recipients, their labels, and which of them pay the fee.
func (c *creation) setRecipients(r *api.CreateProposalRequest) error {
	var problems []error
	positions := map[string]int{}
	for i, text := range c.to {
		to, isMax, err := proposal.ParseRecipient(text)
		if err != nil {
			problems = append(problems, fmt.Errorf("--to %s: %w", text, err))
		}
		r.SendMax = r.SendMax || isMax
		positions[to.Address] = i
		recipient := api.Recipient{Address: to.Address}
		if to.Amount != 0 {
			recipient.Amount = new(int64(to.Amount))
		}
		if to.Data != nil {
			recipient.Data = new(hex.EncodeToString(to.Data))
		}
		r.Recipients = append(r.Recipients, recipient)
	}
	for _, text := range c.labels {
		address, label, _ := strings.Cut(text, "=")
		i, found := positions[address]
		if !found {
			problems = append(problems, fmt.Errorf("--label %s: must be ADDRESS=LABEL, with the address of a recipient in --to", text))
			continue
		}
		r.Recipients[i].Label = label
	}
	for _, address := range c.subtract {
		i, found := positions[address]
		if !found {
			problems = append(problems, fmt.Errorf("--subtract-fee-from %s: must be the address of a recipient in --to", address))
			continue
		}
		r.SubtractFrom = append(r.SubtractFrom, i)
	}
	return errors.Join(problems...)
}

func parseFeeRate(text string) (*api.FeeRate, error) {
	rate, err := btc.ParseFeeRate(text)
	if err != nil {
		return nil, fmt.Errorf("--fee-rate %s: must be a number of sat/vB above 0 and up to %s, with at most three decimals", text, btc.MaxFeeRate)
	}
	return new(api.FeeRate(float64(rate) / 1000)), nil
}

// parseMaxFee parses the value of --max-fee. It returns nil for an empty text.
func parseMaxFee(text string) (*int64, error) {
	if text == "" {
		return nil, nil //nolint:nilnil // the request has no maximum
	}
	most, err := proposal.ParseAmount(text)
	if err != nil {
		return nil, fmt.Errorf("--max-fee: %w", err)
	}
	return new(int64(most)), nil
}

// parseExpiry parses the value of --expires: a time, or a lifetime from now.
func parseExpiry(text string, now time.Time) (time.Time, error) {
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		return at, nil
	}
	lifetime, err := auth.ParseLifetime(text)
	if err != nil {
		return time.Time{}, fmt.Errorf("--expires %s: must be a lifetime such as \"7 days\", or a time such as 2026-12-31T12:00:00Z", text)
	}
	return now.Add(lifetime), nil
}

// addProposal calls create, at most once for an idempotency key, writes the PSBT to a file, if
// one is named, and prints the proposal, in a dry run with the labels of the request. The file may exist
// if the command is a repetition.
func (p *program) addProposal(cmd *cobra.Command, c *connection, alias, key, file string, request api.CreateProposalRequest, create func(dryRun bool, options ...client.CallOption) (*api.ProposalDetails, error)) error {
	var options []client.CallOption
	if key != "" {
		if !idempotency.IsKey(key) {
			return fmt.Errorf("--idempotency-key: must have 1 to %d visible ASCII characters", idempotency.MaxKey)
		}
		options = append(options, client.WithIdempotencyKey(key))
	}
	dryRun := isSet(cmd, dryRunFlag)
	isRepetition := func() bool { // a dry run, which stores no key, is refused as another request if the key was used
		if key == "" || dryRun {
			return false
		}
		_, err := create(true, options...)
		return errors.Is(err, client.ErrIdempotencyKeyReused)
	}
	if file != "" && file != "-" {
		if err := checkNewFile(file); err != nil && !isRepetition() { // before UTXOs are reserved
			return err
		}
	}
	created, err := create(dryRun, options...)
	switch {
	case errors.Is(err, client.ErrIdempotencyKeyReused):
		return errors.New("--idempotency-key: this key was used for a command with other arguments or flags; use a new key for each payment")
	case err != nil:
		return err
	case created.ID == nil:
		return p.printNewProposal(cmd, c, alias, created, file, requestedLabels(request, created))
	}
	if created, err = p.settleProposal(cmd, c, alias, key, created); err != nil {
		return err
	}
	if err = p.printProposal(cmd, c, alias, created, file); err != nil {
		err = fmt.Errorf("the proposal %s exists: %w", *created.ID, err)
	}
	return err
}

// settleProposal returns a new proposal once its UTXOs are locked, or the current state of the proposal
// that an earlier command with the key has created.
func (p *program) settleProposal(cmd *cobra.Command, c *connection, alias, key string, created *api.ProposalDetails) (*api.ProposalDetails, error) {
	if created.Version == 0 { // the stored response
		if key != "" {
			fmt.Fprintln(p.stderr, "A command with this key has created the proposal already; nothing was changed.")
		}
		return c.GetProposal(cmd.Context(), alias, client.ProposalID(*created.ID))
	}
	if err := c.awaitLocks(cmd.Context(), alias); err != nil {
		return nil, fmt.Errorf("the proposal %s exists: %w", *created.ID, err)
	}
	return created, nil
}

// requestedLabels returns the labels that the request of a proposal sets, by address.
func requestedLabels(request api.CreateProposalRequest, created *api.ProposalDetails) map[string]string {
	recipients, _ := proposal.ParseRecipientsCSV(request.CSV) // without error: the API has accepted it, or it is empty
	for _, r := range request.Recipients {
		recipients = append(recipients, proposal.Recipient{Address: r.Address, Label: r.Label})
	}
	labels := map[string]string{}
	for _, o := range created.Outputs {
		if o.Address == nil || o.Recipient == nil || *o.Recipient >= len(recipients) {
			continue
		}
		if label := recipients[*o.Recipient].LabelOf(*o.Address); label != "" {
			labels[*o.Address] = label
		}
	}
	return labels
}

// awaitLocks waits until the UTXOs of a new proposal are locked in Bitcoin Core, which
// otherwise continues in the background of this process.
func (c *connection) awaitLocks(ctx context.Context, alias string) error {
	if c.local == nil {
		return nil
	}
	access, err := c.local.access(ctx, alias)
	if err != nil {
		return err
	}
	done, err := c.local.service.LockSelection(ctx, access.WalletID())
	if err == nil {
		done()
	}
	return err
}
