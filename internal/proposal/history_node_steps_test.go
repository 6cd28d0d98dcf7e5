package proposal_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/btcsuite/btcd/wire"

	"github.com/specterd/specterd/internal/proposal"
	"github.com/specterd/specterd/internal/testenv/regtest"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

// event is a step that affects the node or specterd, and therefore all wallets.
type event struct {
	name   string
	weight int
	do     func(h *histories, n [5]uint32) string
}

var events = []event{
	{"mine", 60, (*histories).mine},
	{"mine some", 60, (*histories).mineSome},
	{"reorganize", 50, (*histories).reorganize},
	{"reconsider", 20, (*histories).reconsider},
	{"restart the node", 8, (*histories).restartNode},
	{"expire the mempool", 20, (*histories).expireMempool},
	{"expire proposals", 15, (*histories).expireProposals},
	{"end delays", 25, (*histories).endDelays},
	{"restart specterd", 15, (*histories).restart},
	{"stop specterd", 15, (*histories).stop},
	{"coinbase", 4, (*histories).coinbase},
	{"orphan the coinbase", 3, (*histories).orphanCoinbase},
}

// mine mines the transactions in the mempool.
func (h *histories) mine([5]uint32) string {
	h.chain.CLI(h.t, "generatetoaddress", 1, h.chain.miner())
	return "mine all"
}

// mineSome mines up to three unconfirmed transactions and their ancestors, whether or
// not they are in the mempool, as far as they form a valid block.
func (h *histories) mineSome(n [5]uint32) string {
	var known []*wire.MsgTx
	names := map[string]string{}
	parents := map[string]*wire.MsgTx{}
	for _, s := range h.subjects {
		for _, txid := range s.txids {
			known, names[txid], parents[txid] = append(known, s.txs[txid]), s.label()+s.names[txid], s.txs[txid]
		}
	}
	var chosen []*wire.MsgTx
	var choose func(tx *wire.MsgTx)
	choose = func(tx *wire.MsgTx) {
		if slices.Contains(chosen, tx) || h.chain.confirmed(tx) {
			return
		}
		for _, in := range tx.TxIn {
			if parent := parents[in.PreviousOutPoint.Hash.String()]; parent != nil {
				choose(parent)
			}
		}
		chosen = append(chosen, tx)
	}
	for i := range n[0] % 4 {
		if tx := pick(known, n[1+i]); tx != nil {
			choose(tx)
		}
	}
	for ; ; chosen = chosen[:len(chosen)-1] {
		raws, said := []string{}, "mine only"
		for _, tx := range chosen {
			raws = append(raws, hexOf(serialize(tx)))
			said += " " + names[tx.TxHash().String()]
		}
		_, err := h.chain.Call(h.t.Context(), "generateblock", h.chain.miner(), raws)
		if err == nil {
			return said
		}
		if refused := new(regtest.Error); !errors.As(err, &refused) || len(chosen) == 0 {
			h.t.Fatal(err)
		}
	}
}

// confirmed reports whether a transaction is in the chain.
func (c *chain) confirmed(tx *wire.MsgTx) bool {
	raw, err := c.Call(c.t.Context(), "getrawtransaction", tx.TxHash().String(), true)
	var found struct{ Confirmations int }
	return err == nil && json.Unmarshal(raw, &found) == nil && found.Confirmations > 0
}

// reorganize invalidates up to three blocks and may mine others in their place.
func (h *histories) reorganize(n [5]uint32) string {
	depth := 1 + int(n[0]%3)
	said := fmt.Sprintf("take %d blocks back", depth)
	h.takeBack(depth)
	if n[1]%3 != 0 {
		said += ", " + h.mineSome([5]uint32{n[2], n[2] / 2, n[3], n[4], n[4] / 2})
		for range depth {
			h.chain.CLI(h.t, "generateblock", h.chain.miner(), []string{})
		}
		said += fmt.Sprintf(" and %d empty blocks", depth)
	}
	return said
}

func (h *histories) takeBack(depth int) {
	height, _ := h.chain.tip()
	hash := text(h.t, h.chain.CLI(h.t, "getblockhash", height-depth+1))
	h.invalid = append(h.invalid, hash)
	h.chain.CLI(h.t, "invalidateblock", hash)
}

// reconsider reverses the latest invalidateblock.
func (h *histories) reconsider([5]uint32) string {
	if len(h.invalid) == 0 {
		return ""
	}
	last := len(h.invalid) - 1
	h.chain.CLI(h.t, "reconsiderblock", h.invalid[last])
	h.invalid = h.invalid[:last]
	return "reconsider the blocks taken back last"
}

// restartNode restarts the node with an empty mempool.
func (h *histories) restartNode([5]uint32) string {
	h.chain.Stop(h.t)
	h.chain.Start(h.t)
	h.chain.setClock(h.chain.clock)
	if !h.down {
		h.waitForNode()
	}
	return "restart the node with an empty mempool"
}

// expireMempool sets the node's clock forward until all transactions leave the mempool.
func (h *histories) expireMempool([5]uint32) string {
	h.chain.setClock(h.chain.clock + 2*60*60)
	if refused := h.chain.send(h.chain.pay(h.chain.utxo(), 1000)); refused != "" { // a new transaction expires the old ones
		h.t.Fatal(refused)
	}
	return "expire the mempool"
}

// expireProposals sets specterd's clock forward until some proposals expire.
func (h *histories) expireProposals([5]uint32) string {
	if h.down {
		return ""
	}
	h.pass(10 * time.Minute)
	return "expire proposals"
}

// endDelays sets specterd's clock forward until delays of policies end.
func (h *histories) endDelays([5]uint32) string {
	if h.down {
		return ""
	}
	h.pass(6 * time.Minute)
	return "end delays"
}

// pass sets specterd's clock forward, and does what is due then.
func (h *histories) pass(d time.Duration) {
	h.clock.forward(d)
	for _, s := range h.subjects {
		for _, e := range s.proposals {
			switch {
			case !e.base.Open() || h.clock.now().Before(e.expires):
			case e.last.Open():
				e.base, e.last = proposal.Expired, proposal.Expired
			default:
				e.overdue = true
			}
		}
	}
	testkit.Check(h.t, h.ExpireOverdue(h.t.Context()))
	for _, s := range h.subjects {
		for _, e := range s.proposals {
			h.release(e)
		}
	}
	testkit.Check(h.t, h.ReleaseDue(h.t.Context()))
}

func (h *histories) restart([5]uint32) string {
	if h.down {
		return ""
	}
	h.close()
	h.open()
	return "restart specterd"
}

// stop stops specterd for some steps.
func (h *histories) stop(n [5]uint32) string {
	if h.down {
		return ""
	}
	h.close()
	h.downFor = 2 + int(n[0]%10)
	return "stop specterd"
}

// start starts specterd if it is down.
func (h *histories) start() {
	if h.down {
		h.open()
	}
}

// coinbase mines a block to a wallet, and 100 blocks so that its output is mature.
func (h *histories) coinbase(n [5]uint32) string {
	s := pick(h.subjects, n[0])
	hash := pick(h.chain.generate(1, pick(s.addresses, n[1])), 0)
	var block struct {
		Tx []struct{ Hex string }
	}
	testkit.Check(h.t, json.Unmarshal(h.chain.CLI(h.t, "getblock", hash, 2), &block))
	s.addTransaction(parseTx(h.t, block.Tx[0].Hex), fmt.Sprintf("c%d", len(s.txids)))
	h.chain.generate(100, h.chain.miner())
	h.withCoinbase = hash
	return "coinbase to " + s.label() + "and 100 blocks"
}

func (c *chain) generate(count int, address string) (hashes []string) {
	testkit.Check(c.t, json.Unmarshal(c.CLI(c.t, "generatetoaddress", count, address), &hashes))
	return hashes
}

// orphanCoinbase invalidates the block of the last coinbase.
func (h *histories) orphanCoinbase([5]uint32) string {
	if h.withCoinbase == "" {
		return ""
	}
	h.chain.CLI(h.t, "invalidateblock", h.withCoinbase)
	h.withCoinbase = ""
	h.chain.generate(1, h.chain.miner())
	return "take back the block of the last coinbase"
}
