// The story of docs/tutorial.md: tokens, wallets, proposals, signatures and replacements.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Client, etagOf, SpecterdError, type Schemas } from "../src/index.js";
import { callNode, environment, shop, token, url, vault } from "./environment.js";

const status = (call: Promise<unknown>) => call.then(() => 200, (error: SpecterdError) => error.status);

test("tokens and wallets", async () => {
  const client = new Client(url, await token("node:read", "wallets:*", "addresses:write"));
  assert.equal((await client.readiness()).message, "i am ready");
  assert.equal((await client.getNode()).chain, "regtest");
  const key = "[d34db33f/84h/1h/0h]tpubD6NzVbkrYhZ4XJkWPt6cgTyouAqQFiCyggyo5B1ccrLubuk5tYBcSH861VJwtrnFUgKT79eh4fNYoULdaLzHz3SBrxN1QZHzJaTG9xwpj4P";
  const made = await client.createWallet({ body: { name: "TypeScript's", descriptor: `wpkh(${key}/<2;3>/*)`, birthday: "now" } });
  const alias = made.alias;
  const { address } = await client.createAddress({ alias, body: { label: "invoice 17" } });
  assert.equal((await client.findAddress({ address })).items.map((one) => one.wallet).join(), alias);
  assert.equal((await client.getWallet({ alias })).balances.available_sat, 0);
  assert.deepEqual((await client.listTransactions({ alias, label: "invoice 17" })).items, []);
  const alice = new Client(url, (await new Client(url, { user: "alice", password: environment("ALICE_PASSWORD") })
    .createToken({ body: { description: "typescript", lifetime: "1 hour", scopes: ["wallets:read", "tokens:write"] } })).token);
  assert.equal(await status(alice.getNode()), 403);
  assert.equal(await status(alice.getWallet({ alias })), 404);
  await client.deleteWallet({ alias });
  await alice.deleteOwnToken();
  assert.equal(await status(alice.listWallets()), 401);
});

test("proposals", async () => {
  const client = new Client(url, await token("proposals:read", "proposals:create"));
  const body = { recipients: [{ address: shop, amount_sat: 100_000, label: "rent" }], fee_rate_sat_vb: 5 };
  const draft = await client.createProposal({ alias: vault, body: { ...body, dry_run: true } });
  assert.equal(draft.id, null);
  const idempotencyKey = `rent-${Math.random()}`;
  const made = await client.createProposal({ alias: vault, body, idempotencyKey });
  assert.equal((await client.createProposal({ alias: vault, body, idempotencyKey })).id, made.id);
  assert.equal(await status(client.broadcastProposal({ alias: vault, id: made.id! })), 403);
  const cancelled = await client.cancelProposal({ alias: vault, id: made.id!, ifMatch: etagOf(made) });
  assert.equal(cancelled?.status, "cancelled");
});

test("sign, broadcast, replace", async () => {
  const client = new Client(url, await token("proposals:*", "wallets:*"));
  const sign = async (proposal: Schemas["ProposalDetails"]) => {
    for (const signer of ["ann", "cleo"]) {
      const { psbt } = await callNode<{ psbt: string }>(`/wallet/${signer}`, "walletprocesspsbt", proposal.psbt);
      proposal = (await client.addSignatures({ alias: vault, id: proposal.id!, body: { psbt } }))!;
    }
    return proposal;
  };
  const first = await sign(await client.createProposal({ alias: vault, body: { recipients: [{ address: `bitcoin:${shop}?amount=0.0005` }], fee_rate_sat_vb: 5 } }));
  assert.equal(first.status, "complete");
  assert.equal((await client.broadcastProposal({ alias: vault, id: first.id! }))?.status, "broadcast");
  const second = await sign(await client.bumpProposal({ alias: vault, id: first.id!, body: { fee_rate_sat_vb: 20 } }));
  await client.broadcastProposal({ alias: vault, id: second.id! });
  assert.equal(await status(client.abandonProposal({ alias: vault, id: second.id! })), 409);
  await callNode("/", "generatetoaddress", 1, shop);
  for (let now = second; now.status !== "confirmed"; now = await client.getProposal({ alias: vault, id: second.id! })) await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal((await client.getProposal({ alias: vault, id: first.id! })).status, "replaced");
  assert.equal((await client.getTransaction({ alias: vault, txid: second.final_txid ?? first.final_txid! })).category, "send");
});
