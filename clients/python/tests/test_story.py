"""The story of docs/tutorial.md, which the clients for Go and TypeScript tell with the same requests."""

from __future__ import annotations

import unittest
import uuid
from typing import Any, Callable, Tuple

import specterd
from specterd import Client, Recipient, types

from .test_live import SHOP, VAULT, call_node, environment


def user(name: str) -> Client:
    return Client(environment("URL"), user=name, password=environment(f"{name.upper()}_PASSWORD"))


def token(name: str, *scopes: str) -> Tuple[Client, types.TokenWithSecret]:
    """Create a token, and return it with a client that uses it."""
    made = user(name).tokens.create(description=f"story {uuid.uuid4()}", lifetime="1 hour", scopes=scopes)
    return Client(environment("URL"), token=made.token), made


class Story(unittest.TestCase):
    def refused(self, status: int, call: Callable[[], Any]) -> None:
        with self.assertRaises(specterd.Error) as raised:
            call()
        self.assertEqual(raised.exception.status, status)

    def test_1_tokens_and_wallets(self) -> None:
        self.assertEqual(user("admin").health.ready().message, "i am ready")
        client, made = token("admin", "node:read", "wallets:*", "addresses:write")
        self.assertEqual(client.tokens.get_own().id, made.id)
        self.assertEqual(client.node.get().chain, "regtest")

        key = "[d34db33f/84h/1h/0h]tpubD6NzVbkrYhZ4XJkWPt6cgTyouAqQFiCyggyo5B1ccrLubuk5tYBcSH861VJwtrnFUgKT79eh4fNYoULdaLzHz3SBrxN1QZHzJaTG9xwpj4P"
        wallet = client.wallets.create(name="Story", descriptor=f"wpkh({key}/<4;5>/*)", birthday="now").alias
        address = client.addresses.create(wallet, label="invoice 17").address
        self.assertEqual(client.addresses.get(wallet, address).received_sat, 0)
        self.assertEqual(client.wallets.get(wallet).balances.available_sat, 0)
        self.assertEqual(client.transactions.list(wallet, label="invoice 17").items, [])
        self.assertIn(VAULT, b"".join(client.transactions.export_all(view="ledger")).decode())

        alice, _ = token("alice", "wallets:read", "tokens:write")
        self.refused(403, alice.users.list)
        self.refused(404, lambda: alice.wallets.get(wallet))
        client.wallets.delete(wallet)
        alice.tokens.delete_own()

        user("admin").tokens.delete(made)
        self.refused(401, client.tokens.get_own)

    def test_2_proposals(self) -> None:
        client, _ = token("admin", "proposals:read", "proposals:create")
        rent = Recipient(address=SHOP, amount_sat=100_000, label="rent")
        draft = client.proposals.create(VAULT, recipients=[rent], fee_rate_sat_vb=5, dry_run=True)
        self.assertIsNone(draft.id)

        order = f"rent-{uuid.uuid4()}"
        made = client.proposals.create(VAULT, recipients=[rent], fee_rate_sat_vb=5, idempotency_key=order)
        again = client.proposals.create(VAULT, recipients=[rent], fee_rate_sat_vb=5, idempotency_key=order)
        self.assertEqual(again.id, made.id)
        self.assertIn(made.id, [p.id for p in client.proposals.iter(VAULT, status=["created", "partially_signed", "complete"])])
        self.refused(403, lambda: client.proposals.broadcast(VAULT, made))
        cancelled = client.proposals.cancel(VAULT, made)
        assert cancelled is not None
        self.assertEqual(cancelled.status, "cancelled")

    def test_3_recipients(self) -> None:
        client, _ = token("admin", "proposals:read", "proposals:create")
        coffee = Recipient(address=f"bitcoin:{SHOP}?amount=0.0005&label=coffee".upper())
        self.assertEqual(client.proposals.create(VAULT, recipients=[coffee], dry_run=True).amount_sat, 50_000)
        several = [Recipient(address=SHOP, amount_sat=20_000), Recipient(address=SHOP, amount_sat=30_000), Recipient(data="6869")]
        draft = client.proposals.create(VAULT, recipients=several, allow_duplicates=True, dry_run=True)
        self.assertIn("6869", [output.data for output in draft.outputs])
        salaries = f"address;amount_btc;label\n{SHOP};0.0005;salary\n"
        self.assertEqual(client.proposals.create(VAULT, recipients_csv=salaries, dry_run=True).amount_sat, 50_000)

    def test_4_sign_broadcast_replace(self) -> None:
        client, _ = token("admin", "proposals:*", "wallets:read")

        def sign(proposal: types.ProposalDetails) -> types.ProposalDetails:
            proposal = client.proposals.get(VAULT, proposal)
            for signer, status in (("ann", "partially_signed"), ("cleo", "complete")):
                psbt = call_node(f"/wallet/{signer}", "walletprocesspsbt", proposal.psbt)["psbt"]
                signed = client.proposals.sign(VAULT, proposal, psbt)
                assert signed is not None
                self.assertEqual(signed.status, status)
                proposal = signed
            return proposal

        rent = Recipient(address=SHOP, amount_sat=100_000, label="rent")
        first = client.proposals.broadcast(VAULT, sign(client.proposals.create(VAULT, recipients=[rent], fee_rate_sat_vb=5)))
        assert first is not None
        self.assertEqual(first.status, "broadcast")

        second = client.proposals.broadcast(VAULT, sign(client.proposals.bump(VAULT, first, 20)))
        assert second is not None
        self.assertEqual(client.proposals.get(VAULT, first).status, "replaced")
        latest = client.transactions.list(VAULT, unconfirmed=True).items[0]
        self.assertEqual((latest.txid, latest.status), (second.final_txid, "mempool"))
        self.refused(409, lambda: client.proposals.abandon(VAULT, second))

        call_node("/", "generatetoaddress", 1, SHOP)
        client.wait_for(second, "confirmed", timeout=60, interval=0.1)
        self.assertEqual(client.transactions.get(VAULT, second.final_txid or "").category, "send")


if __name__ == "__main__":
    unittest.main()
