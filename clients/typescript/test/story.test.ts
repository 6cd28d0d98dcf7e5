// The story of docs/tutorial.md, which the clients for Go and Python tell with the same requests.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Client, etagOf, SpecterdError, type Schemas } from "../src/index.js";
import { callNode, environment, shop, url, vault } from "./environment.js";

const user = (name: string) => new Client(url, { user: name, password: environment(`${name.toUpperCase()}_PASSWORD`) });
const alias = vault;

/** Creates a token, and returns it with a client that uses it. */
async function token(name: string, ...scopes: string[]): Promise<[Client, Schemas["TokenWithSecret"]]> {
  const made = await user(name).createToken({ body: { description: `story ${Math.random()}`, lifetime: "1 hour", scopes } });
  return [new Client(url, made.token), made];
}

const refused = (status: number, call: Promise<unknown>) => assert.rejects(call, (error) => error instanceof SpecterdError && error.status === status);

test("tokens and wallets", async () => {
  assert.equal((await user("admin").readiness()).message, "i am ready");
  const [client, made] = await token("admin", "node:read", "wallets:*", "addresses:write");
  assert.equal((await client.getOwnToken()).id, made.id);
  assert.equal((await client.getNode()).chain, "regtest");

  const key = "[d34db33f/84h/1h/0h]tpubD6NzVbkrYhZ4XJkWPt6cgTyouAqQFiCyggyo5B1ccrLubuk5tYBcSH861VJwtrnFUgKT79eh4fNYoULdaLzHz3SBrxN1QZHzJaTG9xwpj4P";
  const { alias } = await client.createWallet({ body: { name: "Story", descriptor: `wpkh(${key}/<2;3>/*)`, birthday: "now" } });
  const { address } = await client.createAddress({ alias, body: { label: "invoice 17" } });
  assert.equal((await client.getAddress({ alias, address })).received_sat, 0);
  assert.equal((await client.getWallet({ alias })).balances.available_sat, 0);
  assert.deepEqual((await client.listTransactions({ alias, label: "invoice 17" })).items, []);
  const ledger = await client.request("listAllTransactions", { view: "ledger", accept: "text/csv" });
  assert.match(await ledger.text(), new RegExp(vault));

  const [alice] = await token("alice", "wallets:read", "tokens:write");
  await refused(403, alice.listUsers());
  await refused(404, alice.getWallet({ alias }));
  await client.deleteWallet({ alias });
  await alice.deleteOwnToken();

  await user("admin").deleteToken({ id: made.id });
  await refused(401, client.getOwnToken());
});

test("proposals", async () => {
  const [client] = await token("admin", "proposals:read", "proposals:create");
  const body = { recipients: [{ address: shop, amount_sat: 100_000, label: "rent" }], fee_rate_sat_vb: 5 };
  const draft = await client.createProposal({ alias, body: { ...body, dry_run: true } });
  assert.equal(draft.id, null);

  const idempotencyKey = `rent-${Math.random()}`;
  const made = await client.createProposal({ alias, body, idempotencyKey });
  const id = made.id!;
  assert.equal((await client.createProposal({ alias, body, idempotencyKey })).id, id);
  const open = await client.listProposals({ alias, status: ["created", "partially_signed", "complete"] });
  assert.ok(open.items.some((proposal) => proposal.id === id));
  await refused(403, client.broadcastProposal({ alias, id }));
  assert.equal((await client.cancelProposal({ alias, id, ifMatch: etagOf(made) }))?.status, "cancelled");
});

test("recipients", async () => {
  const [client] = await token("admin", "proposals:read", "proposals:create");
  const dryRun = (body: object) => client.createProposal({ alias, body: { ...body, dry_run: true } });
  const coffee = { address: `bitcoin:${shop}?amount=0.0005&label=coffee`.toUpperCase() };
  assert.equal((await dryRun({ recipients: [coffee] })).amount_sat, 50_000);
  const several = [{ address: shop, amount_sat: 20_000 }, { address: shop, amount_sat: 30_000 }, { data: "6869" }];
  const draft = await dryRun({ recipients: several, allow_duplicates: true });
  assert.ok(draft.outputs.some((output) => output.data === "6869"));
  assert.equal((await dryRun({ recipients_csv: `address;amount_btc;label\n${shop};0.0005;salary\n` })).amount_sat, 50_000);
});

test("sign, broadcast, replace", async () => {
  const [client] = await token("admin", "proposals:*", "wallets:read");
  const sign = async ({ id }: Schemas["ProposalDetails"]) => {
    let proposal = await client.getProposal({ alias, id: id! });
    for (const [signer, status] of [["ann", "partially_signed"], ["cleo", "complete"]]) {
      const { psbt } = await callNode<{ psbt: string }>(`/wallet/${signer}`, "walletprocesspsbt", proposal.psbt);
      proposal = (await client.addSignatures({ alias, id: id!, body: { psbt } }))!;
      assert.equal(proposal.status, status);
    }
    return id!;
  };
  const body = { recipients: [{ address: shop, amount_sat: 100_000, label: "rent" }], fee_rate_sat_vb: 5 };
  const first = await sign(await client.createProposal({ alias, body }));
  assert.equal((await client.broadcastProposal({ alias, id: first }))?.status, "broadcast");

  const second = await sign(await client.bumpProposal({ alias, id: first, body: { fee_rate_sat_vb: 20 } }));
  const txid = (await client.broadcastProposal({ alias, id: second }))!.final_txid!;
  assert.equal((await client.getProposal({ alias, id: first })).status, "replaced");
  const [latest] = (await client.listTransactions({ alias, unconfirmed: true })).items;
  assert.deepEqual([latest!.txid, latest!.status], [txid, "mempool"]);
  await refused(409, client.abandonProposal({ alias, id: second }));

  await callNode("/", "generatetoaddress", 1, shop);
  while ((await client.getProposal({ alias, id: second })).status !== "confirmed") await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal((await client.getTransaction({ alias, txid })).category, "send");
});
