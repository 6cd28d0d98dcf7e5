"""The client with a real server and a real node: the demo's vault, whose signers are wallets of the node.

URL, ADMIN_PASSWORD and NODE_URL are the variables that specterd demo prints.
"""

from __future__ import annotations

import base64
import itertools
import json
import os
import threading
import unittest
import urllib.parse
import urllib.request
import uuid
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any, Callable, Dict, List, Tuple

import specterd
from specterd import Client, Recipient, types
from specterd._values import Object

from . import relay as faults
from .relay import Relay

VAULT = "community_vault"
SHOP = "bcrt1q6rhpng9evdsfnn833a4f4vej0asu6dk5srld6x"
SCOPES = ["proposals:*", "wallets:*", "addresses:write", "events:read", "tokens:read", "webhooks:*", "node:read", "policies:*"]


def environment(name: str) -> str:
    if name not in os.environ:
        raise RuntimeError(f"{name} is not set; go test -run TestPythonClient ./internal/cli starts a server and sets it")
    return os.environ[name]


def call_node(path: str, method: str, *params: Any) -> Any:
    """Call an RPC method of the node."""
    url = urllib.parse.urlsplit(environment("NODE_URL"))
    request = urllib.request.Request(
        f"http://{url.hostname}:{url.port}{path}", json.dumps({"method": method, "params": params}).encode()
    )
    credential = base64.b64encode(f"{url.username}:{url.password}".encode()).decode()
    request.add_header("Authorization", "Basic " + credential)
    with urllib.request.urlopen(request, timeout=60) as response:
        return json.load(response)["result"]


class Live(unittest.TestCase):
    relay: Relay
    admin: Client
    client: Client
    token: str

    @classmethod
    def setUpClass(cls) -> None:
        cls.relay = Relay(environment("URL"))
        cls.addClassCleanup(cls.relay.close)
        cls.admin = Client(environment("URL"), user="admin", password=environment("ADMIN_PASSWORD"))
        made = cls.admin.tokens.create(description=f"python {uuid.uuid4()}", lifetime="1 hour", scopes=SCOPES)
        cls.token = made.token
        cls.client = Client(cls.relay.url, token=made.token + "\n", timeout=20)
        cls.addClassCleanup(cls.admin.tokens.delete, made)

    def setUp(self) -> None:
        self.relay.faults, self.relay.extend, self.relay.chunked = [], False, False
        self.relay.seen.clear()
        self.addCleanup(self.assertEqual, self.relay.faults, [], "a fault did not occur")

    def propose(self, amount_sat: int = 20_000, **options: Any) -> types.ProposalDetails:
        to = Recipient(address=SHOP, amount_sat=amount_sat)
        proposal = self.client.proposals.create(VAULT, recipients=[to], fee_rate_sat_vb=5, **options)
        if proposal.id is not None:
            self.addCleanup(self.cancel, proposal.id)
        return proposal

    def cancel(self, proposal: str) -> None:
        self.relay.faults = []
        if self.client.proposals.get(VAULT, proposal).status in ("created", "partially_signed", "complete"):
            self.client.proposals.cancel(VAULT, proposal)

    def sign(self, proposal: types.ProposalDetails, *signers: str) -> types.ProposalDetails:
        for signer in signers:
            psbt = call_node(f"/wallet/{signer}", "walletprocesspsbt", proposal.psbt)["psbt"]
            signed = self.client.proposals.sign(VAULT, proposal, base64.b64decode(psbt))
            assert signed is not None
            proposal = signed
        return proposal


class Payments(Live):
    def test_life(self) -> None:
        """A proposal is created, signed, broadcast, replaced and confirmed."""
        first = self.propose()
        self.assertEqual((first.status, first.wallet_alias, type(first.fee_sat)), ("created", VAULT, int))
        self.assertIs(type(first.etag), str)
        half = self.sign(first, "ann")
        with self.assertRaises(specterd.PreconditionFailed) as stale:  # first has the ETag from before the signature
            self.client.proposals.broadcast(VAULT, first)
        self.assertEqual(stale.exception.status, 412)
        with self.assertRaises(specterd.WaitTimeout):
            self.client.wait_for(half, "complete", timeout=1, interval=0.01)
        complete = self.client.wait_for(self.sign(half, "cleo"), "complete", timeout=20)
        sent = self.client.proposals.broadcast(VAULT, complete)
        assert sent is not None
        self.assertEqual(self.client.wait_for(complete, "partially_signed", timeout=20).status, "broadcast")

        replacement = self.client.proposals.bump(VAULT, sent, 20)
        sent = self.client.proposals.broadcast(VAULT, self.sign(replacement, "ann", "cleo"))
        assert sent is not None
        with self.assertRaises(specterd.ProposalClosed) as closed:
            self.client.wait_for(first, "confirmed", timeout=20)
        self.assertEqual(closed.exception.code, "replaced")
        call_node("/", "generatetoaddress", 1, SHOP)
        confirmed = self.client.wait_for(sent, "confirmed", timeout=60, interval=0.1)
        with self.assertRaises(specterd.ProposalClosed):
            self.client.wait_for(confirmed, ["cancelled", "expired"], timeout=20)
        transaction = self.client.transactions.get(VAULT, confirmed.final_txid or "")
        self.assertEqual((transaction.fee_sat, transaction.category), (confirmed.fee_sat, "send"))
        unmodified = [s for s in self.relay.seen if "if-none-match" in s.headers]
        self.assertTrue(unmodified, "wait_for sends no If-None-Match")

    def test_cancel(self) -> None:
        proposal = self.propose(30_000)
        listed = next(p for p in self.client.proposals.iter(VAULT, status=["created"]) if p.id == proposal.id)
        self.assertEqual((listed.wallet_alias, listed.amount_sat), (VAULT, 30_000))
        cancelled = self.client.proposals.cancel(VAULT, listed)
        assert cancelled is not None
        self.assertEqual(cancelled.status, "cancelled")

    def test_dry_run(self) -> None:
        draft = self.propose(dry_run=True)
        self.assertIsNone(draft.id)
        with self.assertRaisesRegex(ValueError, "dry run"):
            self.client.proposals.get(VAULT, draft)


class Repetition(Live):
    def keys(self) -> List[str]:
        return [seen.headers.get("idempotency-key", "") for seen in self.relay.seen]

    def test_lost_response(self) -> None:
        """A request with a key is sent again with the same key, and executed once."""
        before = {p.id for p in self.client.proposals.iter(VAULT)}
        self.relay.seen.clear()
        self.relay.faults = [faults.LOSE, faults.CUT, None]
        proposal = self.propose()
        first, second, third = self.keys()
        self.assertTrue(first == second == third != "", "the keys differ")
        self.assertEqual({p.id for p in self.client.proposals.iter(VAULT)} - before, {proposal.id})
        self.propose()
        self.assertNotIn(self.keys()[-1], (first, ""), "another call has the same key")

    def test_lost_broadcast(self) -> None:
        proposal = self.sign(self.propose(), "ann", "cleo")
        self.relay.seen.clear()
        self.relay.faults = [faults.LOSE, None]
        sent = self.client.proposals.broadcast(VAULT, proposal)
        assert sent is not None
        self.assertEqual((sent.status, len(set(self.keys())), len(self.keys())), ("broadcast", 1, 2))

    def test_without_key(self) -> None:
        """A request that is neither idempotent nor has a key is sent once."""
        proposal = self.propose()
        for fault, error in ((faults.LOSE, specterd.NetworkError), (faults.REFUSE, specterd.Unavailable)):
            with self.subTest(fault):
                self.relay.seen.clear()
                self.relay.faults = [fault]
                with self.assertRaises(error) as raised:
                    self.client.proposals.sign(VAULT, proposal, proposal.psbt)
                self.assertEqual((len(self.relay.seen), raised.exception.attempts), (1, 1))

    def test_passing_failures(self) -> None:
        for fault in (faults.REFUSE, faults.BUSY, faults.LOSE, faults.CUT):
            with self.subTest(fault):
                self.relay.seen.clear()
                self.relay.faults = [fault, None]
                self.assertEqual(self.client.wallets.get(VAULT).alias, VAULT)
                self.assertEqual(len(self.relay.seen), 2)

    def test_limit(self) -> None:
        self.relay.faults = [faults.REFUSE] * 4
        with self.assertRaises(specterd.Unavailable) as raised:
            self.client.wallets.get(VAULT)
        error = raised.exception
        self.assertEqual((error.attempts, error.code, error.retry_after, error.request_id), (4, "database_unavailable", 0.0, "r"))
        self.relay.faults = [faults.REFUSE]
        with self.assertRaises(specterd.Unavailable):
            Client(self.relay.url, token=self.token, retries=0).wallets.get(VAULT)

    def test_redirect(self) -> None:
        """A redirect is not followed, since it would send the token to another address."""
        self.relay.faults = [faults.REDIRECT]
        with self.assertRaises(specterd.InvalidResponse) as raised:
            self.client.wallets.get(VAULT)
        self.assertEqual((raised.exception.status, len(self.relay.seen)), (302, 1))

    def test_no_server(self) -> None:
        with self.assertRaises(specterd.NetworkError) as raised:
            Client("http://127.0.0.1:1", token="t", retries=1).node.get()
        self.assertEqual((raised.exception.attempts, raised.exception.code), (2, "network_error"))


class Errors(Live):
    def test_errors(self) -> None:
        to = Recipient(address=SHOP, amount_sat=20_000)
        reader = self.admin.tokens.create(description=f"reader {uuid.uuid4()}", lifetime="1 hour", scopes=["wallets:read"])
        self.addCleanup(self.admin.tokens.delete, reader)
        limited = Client(environment("URL"), token=reader.token)
        unknown = Client(environment("URL"), token="unknown")
        rich = Recipient(address=SHOP, amount_sat=2_000_000_000_000)
        cases: Dict[str, Tuple[Callable[[], Any], Any, int, str]] = {
            "scope": (lambda: limited.proposals.create(VAULT, recipients=[to]), specterd.Forbidden, 403, "insufficient_scope"),
            "token": (lambda: unknown.wallets.get(VAULT), specterd.Unauthorized, 401, "unauthenticated"),
            "wallet": (lambda: self.client.wallets.get("none"), specterd.NotFound, 404, "wallet_not_found"),
            "funds": (lambda: self.client.proposals.create(VAULT, recipients=[rich]), specterd.InsufficientFunds, 409, "insufficient_funds"),
            "field": (lambda: self.client.proposals.create(VAULT, recipients=[to], target_blocks=-1), specterd.InvalidRequest, 400, "invalid_input"),
        }
        raised = {}
        for name, (call, kind, status, code) in cases.items():
            with self.subTest(name):
                with self.assertRaises(kind) as caught:
                    call()
                raised[name] = error = caught.exception
                self.assertEqual((error.status, error.code), (status, code))
                self.assertTrue(error.request_id)
                self.assertIn(code, str(error))
        self.assertEqual(raised["scope"].required_scope, "proposals:create")
        self.assertEqual([f.field for f in raised["field"].fields], ["target_blocks"])

    def test_not_modified(self) -> None:
        wallet = self.client.wallets.get(VAULT)
        with self.assertRaises(specterd.NotModified):
            self.client.wallets.get(VAULT, if_none_match=wallet.etag)


class Reading(Live):
    def check(self, value: Any, raw: Any, where: str) -> None:
        """Check that an object has every field of the JSON object, and that amounts are integers."""
        if isinstance(raw, list):
            for one, other in zip(value, raw):
                self.check(one, other, where)
            self.assertEqual(len(value), len(raw), where)
        elif isinstance(raw, dict) and isinstance(value, Object):
            for name, other in raw.items():
                one = getattr(value, name)
                self.check(one, other, f"{where}.{name}")
                self.assertEqual(one is None, other is None, f"{where}.{name}")
                if name.endswith("_sat") and other is not None:
                    self.assertIs(type(one), int, f"{where}.{name}")

    def reads(self) -> Dict[str, Callable[[], Any]]:
        """Return requests for the objects of most groups."""
        c, transaction = self.client, next(self.client.iter_transactions(VAULT))
        proposal = self.propose()
        return {
            "address": lambda: c.addresses.get(VAULT, c.addresses.list(VAULT, limit=1).items[0].address),
            "addresses": lambda: c.addresses.list(VAULT, limit=5),
            "events": lambda: c.event_log.list(VAULT, limit=5),
            "all events": lambda: c.event_log.list_all(limit=5),
            "fees": lambda: c.fees.get(),
            "members": lambda: c.members.list(VAULT),
            "usage": lambda: c.policies.get_usage(VAULT),
            "simulation": lambda: c.policies.simulate(VAULT, recipients=[Recipient(address=SHOP, amount_sat=20_000)]),
            "node": lambda: c.node.get(),
            "proposal": lambda: c.proposals.get(VAULT, proposal),
            "proposals": lambda: c.proposals.list(VAULT),
            "qr": lambda: c.proposals.qr(VAULT, proposal),
            "token": lambda: c.tokens.get_own(),
            "tokens": lambda: c.tokens.list(),
            "transaction": lambda: c.transactions.get(VAULT, transaction.txid),
            "transactions": lambda: c.transactions.list(VAULT, hex=True),
            "utxos": lambda: c.utxos.list(VAULT),
            "wallet": lambda: c.wallets.get(VAULT),
            "wallets": lambda: c.wallets.list(),
        }

    def test_fields(self) -> None:
        """The types have all fields that the server sends."""
        for name, read in self.reads().items():
            with self.subTest(name):
                value = read()
                self.check(value, json.loads(self.relay.last), name)

    def test_newer_server(self) -> None:
        """A client works with a server that has further fields."""
        for name, read in self.reads().items():
            with self.subTest(name):
                self.relay.extend = False
                before = read()
                self.relay.extend = True
                after = read()
                self.assertIn(b"from_the_future", self.relay.last)
                if isinstance(before, types.EventPage):  # the data of events is passed on as it is
                    self.assertEqual([e.id for e in after.items], [e.id for e in before.items])
                elif not isinstance(before, (types.TokenList, types.Token, types.NodeResponse)):  # with times of last uses
                    self.assertEqual(after, before)
        self.assertEqual(next(self.client.events(wallet=VAULT)).wallet_alias, VAULT)
        signed = self.sign(self.propose(), "ann", "cleo")
        self.assertEqual(signed.status, "complete")

    def test_pages(self) -> None:
        listed = self.client.transactions.list(VAULT).items
        self.assertGreater(len(listed), 3)
        self.relay.seen.clear()
        self.assertEqual(list(self.client.iter_transactions(VAULT, page_size=2)), listed)
        self.assertGreaterEqual(len(self.relay.seen), len(listed) // 2)
        self.assertEqual({t.txid for t in self.client.iter_transactions(page_size=3)}, {t.txid for t in listed})
        utxos = self.client.utxos.list(VAULT).items
        self.assertEqual(list(self.client.utxos.iter(VAULT, page_size=1)), utxos)

    def test_exports(self) -> None:
        transactions = self.client.transactions.list(VAULT).items
        rows = b"".join(self.client.transactions.export(VAULT)).decode().splitlines()
        self.assertEqual(len(rows), 1 + len(transactions))
        lines = b"".join(self.client.transactions.export(VAULT, format="jsonl")).splitlines()
        self.assertEqual([json.loads(line)["txid"] for line in lines], [t.txid for t in transactions])
        self.assertIn(b"balance_sat", b"".join(self.client.transactions.export(VAULT, view="ledger")))
        for self.relay.chunked in (False, True):
            with self.subTest(chunked=self.relay.chunked):
                self.assertEqual(b"".join(self.client.transactions.export(VAULT)).decode().splitlines(), rows)
                self.relay.faults = [faults.CUT]
                with self.assertRaises(specterd.NetworkError):
                    list(self.client.transactions.export(VAULT))
        self.assertTrue(self.client.wallets.export(VAULT, format="descriptor").startswith("wsh("))

    def test_labels(self) -> None:
        address = self.client.addresses.create(VAULT, label="invoice 1")
        self.client.labels.add(VAULT, [types.Label(type="addr", ref=address.address, label="invoice 2")])
        self.assertIn("invoice 2", [one.label for one in self.client.labels.export(VAULT) if one.ref == address.address])
        changed = self.client.addresses.label(VAULT, address.address, "invoice 3")
        assert changed is not None
        self.assertEqual(changed.label, "invoice 3")
        self.assertEqual([o.wallet for o in self.client.addresses.find(address.address).items], [VAULT])
        self.assertTrue(self.client.is_mine(address.address))
        self.assertFalse(self.client.is_mine(SHOP))

    def test_changes(self) -> None:
        """UNSET leaves a field, and None removes a value."""
        utxo = self.client.utxos.list(VAULT).items[0]
        self.client.utxos.freeze(VAULT, f"{utxo.txid}:{utxo.vout}")
        self.assertEqual(len(self.client.utxos.list(VAULT, frozen=True).items), 1)
        self.client.utxos.unfreeze(VAULT, f"{utxo.txid}:{utxo.vout}")
        self.assertEqual(self.client.utxos.list(VAULT, frozen=True).items, [])
        limited = self.client.wallets.change(VAULT, max_fee_rate_sat_vb=50.5)
        restored = self.client.wallets.change(VAULT, max_fee_rate_sat_vb=None)
        assert limited is not None and restored is not None
        self.assertEqual((limited.max_fee_rate_sat_vb, restored.max_fee_rate_sat_vb), (50.5, None))

    def test_policy(self) -> None:
        """A policy is set, read back and deleted."""
        policy: Dict[str, Any] = {"version": 1, "allow": [{"name": "petty cash", "windows": [{"max_sat": 1_000_000, "per": "7d"}]}]}
        with self.assertRaises(specterd.NotFound):
            self.client.policies.get(VAULT)
        self.client.policies.set(VAULT, policy)
        self.addCleanup(self.client.policies.delete, VAULT)
        first = self.client.policies.get(VAULT)
        self.assertEqual(first.policy, policy)
        self.check(first, json.loads(self.relay.last), "policy")
        policy["allow"] = [{"name": "petty cash", "windows": [{"max_sat": 900_000, "per": "7d"}]}]
        self.client.policies.set(VAULT, policy, if_match=first.etag)
        with self.assertRaises(specterd.PreconditionFailed):
            self.client.policies.set(VAULT, policy, if_match=first.etag)
        with self.assertRaises(specterd.InvalidRequest):  # null is sent, and refused
            self.client.policies.set(VAULT, None)

    def test_health(self) -> None:
        self.assertTrue(Client(environment("URL")).health.live().message)


class Events(Live):
    def test_stream(self) -> None:
        """A stream that is cut continues without a gap and without a repetition."""
        for _ in range(10):
            self.client.addresses.create(VAULT)
        logged = self.client.event_log.list(VAULT, limit=1000).items
        self.assertGreater(len(logged), 10)
        self.relay.seen.clear()
        self.relay.cut_after = 13
        self.relay.faults = [faults.CUT, faults.REFUSE, faults.BUSY, faults.LOSE, faults.CUT, None]
        events = self.client.events(wallet=VAULT)
        self.assertEqual(list(itertools.islice(events, len(logged))), logged)
        self.assertEqual(len(self.relay.seen), 6)
        address = self.client.addresses.create(VAULT, label="invoice 4").address
        revealed = next(e for e in events if e.type == "address.revealed")
        self.assertEqual(revealed.data["address"], address)
        events.close()  # type: ignore[attr-defined]
        again = self.client.events(logged[4].id, wallet=VAULT, kinds=sorted({e.type for e in logged}))
        self.assertEqual(list(itertools.islice(again, 3)), logged[5:8])

    def test_latest(self) -> None:
        """The position of a stream without events is kept when the connection ends."""
        self.relay.cut_after = 2  # the position and the end of its message
        self.relay.faults = [faults.CUT]
        found: List[str] = []
        reader = threading.Thread(target=lambda: found.append(next(self.client.events("latest")).type), daemon=True)
        reader.start()
        while len(self.relay.seen) < 2:  # the second connection begins
            reader.join(0.02)
        self.assertRegex(self.relay.seen[1].path, r"after=(?!latest).")
        self.client.addresses.create(VAULT)
        reader.join(30)
        self.assertEqual(found, ["address.revealed"])

    def test_errors(self) -> None:
        with self.assertRaises(specterd.Unauthorized):
            next(Client(environment("URL"), token="unknown").events())
        with self.assertRaises(specterd.NotFound):
            next(self.client.events(wallet="none"))
        with self.assertRaises(specterd.Error) as raised:
            next(self.client.events("999999999", wallet=VAULT))
        self.assertIn(raised.exception.status, (400, 410))


class Webhooks(Live):
    def test_message(self) -> None:
        """verify_webhook accepts what the server sends, also with the old secret during a rotation."""
        received: List[Tuple[Any, bytes]] = []
        arrived = threading.Event()

        class Receiver(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                received.append((self.headers, self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(204)
                self.end_headers()
                arrived.set()

            def log_message(self, *_: Any) -> None:
                pass

        server = HTTPServer(("127.0.0.1", 0), Receiver)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        made = self.client.webhooks.create(description=f"python {uuid.uuid4()}", url=f"http://127.0.0.1:{server.server_port}/", kinds=["address"])
        self.addCleanup(self.client.webhooks.delete, made)
        rotated = self.client.webhooks.rotate_secret(made)
        result = self.client.webhooks.test(made)
        assert result is not None
        self.assertTrue(result.ok and arrived.wait(20))
        headers, body = received[0]
        for secret in (made.secret, rotated.secret, ["whsec_" + base64.b64encode(b"0" * 32).decode(), made.secret]):
            self.assertEqual(specterd.verify_webhook(secret, headers, body).type, "webhook.test")
        with self.assertRaises(specterd.InvalidSignature):
            specterd.verify_webhook(made.secret, headers, body + b" ")


if __name__ == "__main__":
    unittest.main()
