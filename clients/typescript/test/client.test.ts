// The client with a real server and a real node.
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { readFileSync } from "node:fs";
import { after, before, beforeEach, describe, test } from "node:test";
import { Client, etagOf, SpecterdError, verifyWebhook, type Operation } from "../src/index.js";
import { OPERATIONS } from "../src/operations.js";
import { admin, callNode, environment, Relay, shop, token, url, vault } from "./environment.js";

const relay = new Relay();
let client: Client;

before(async () => {
  await relay.start();
  client = new Client(relay.url, `${await token("proposals:*", "wallets:*", "addresses:write", "events:read", "tokens:read")}\n`, { timeout: 20_000 });
});
beforeEach(() => { relay.seen = []; });
after(() => relay.stop());

const failsWith = (code: string, status: number, more: Partial<SpecterdError> = {}) => (error: unknown) => {
  assert.ok(error instanceof SpecterdError, String(error));
  assert.deepEqual({ code: error.code, status: error.status }, { code, status });
  for (const [name, value] of Object.entries(more)) assert.deepEqual(error[name as keyof SpecterdError], value, name);
  return true;
};
const rent = { recipients: [{ address: shop, amount_sat: 20_000 }], fee_rate_sat_vb: 5 };
const keys = () => relay.seen.map((request) => request.headers["idempotency-key"]);

test("the client has each operation of docs/openapi.json except those of v1alpha", () => {
  const { paths } = JSON.parse(readFileSync(environment("SPECIFICATION"), "utf8")) as { paths: Record<string, Record<string, { operationId: string }>> };
  const ids = Object.entries(paths).flatMap(([path, methods]) => (path.startsWith("/api/v1alpha") ? [] : Object.values(methods).map((one) => one.operationId)));
  assert.ok(ids.length > 90);
  assert.deepEqual(Object.keys(OPERATIONS).sort(), ids.sort());
  for (const id of ids) assert.equal(typeof client[id as Operation], "function", id);
});

describe("repetition", () => {
  test("a lost response to a new proposal is answered by the first one", async () => {
    relay.faults = ["lose", "refuse", "cut"];
    const made = await client.createProposal({ alias: vault, body: rent });
    assert.equal(relay.seen.length, 4);
    assert.equal(new Set(keys()).size, 1);
    const open: (string | null)[] = [];
    for await (const one of client.each("listProposals", { alias: vault, status: ["created"] })) open.push(one.id);
    assert.equal(open.filter((id) => id === made.id).length, 1);
    await client.cancelProposal({ alias: vault, id: made.id! });
  });
  test("a broadcast has a key, and a token is requested once", async () => {
    await assert.rejects(client.broadcastProposal({ alias: vault, id: "none" }), failsWith("proposal_not_found", 404));
    assert.ok(keys()[0]);
    relay.faults = ["lose"];
    const byPassword = new Client(relay.url, { user: "admin", password: environment("ADMIN_PASSWORD") });
    const body = { description: "once", lifetime: "1 hour", scopes: ["node:read"] };
    await assert.rejects(byPassword.createToken({ body }), failsWith("network_error", 0, { attempts: 1 }));
  });
  test("reads are repeated, up to a limit", async () => {
    relay.faults = ["page", "lose"];
    assert.equal((await client.getWallet({ alias: vault })).alias, vault);
    assert.equal(relay.seen.length, 3);
    const impatient = new Client(relay.url, "x", { retries: 1 });
    relay.faults = ["refuse", "refuse"];
    await assert.rejects(impatient.getFees(), failsWith("database_unavailable", 503, { attempts: 2, retryAfter: 0 }));
  });
  test("a redirect is not followed", async () => {
    relay.faults = ["redirect", "redirect"];
    await assert.rejects(new Client(relay.url, "secret", { retries: 1 }).getFees(), failsWith("network_error", 0));
    assert.equal(relay.seen.length, 2);
  });
  test("a request can be stopped", async () => {
    await assert.rejects(client.getFees({ signal: AbortSignal.abort(new Error("stopped")) }), /stopped/);
    relay.faults = ["lose", "lose", "lose", "lose"];
    await assert.rejects(client.getFees({ signal: AbortSignal.timeout(100) }), { name: "TimeoutError" });
    relay.faults = [];
  });
});

describe("errors", () => {
  test("have the code, the fields and the scope", async () => {
    await assert.rejects(client.createProposal({ alias: vault, body: { ...rent, recipients: [{ address: "here", amount_sat: 1e6 }] } }), (error) => {
      failsWith("invalid_address", 400)(error);
      assert.equal((error as SpecterdError).fields[0]?.field, "recipients[0].address");
      assert.ok((error as SpecterdError).requestId);
      return true;
    });
    await assert.rejects(client.listUsers(), failsWith("insufficient_scope", 403, { requiredScope: "users:read" }));
    await assert.rejects(new Client(url, "wrong").getFees(), failsWith("unauthenticated", 401));
  });
  test("an empty parameter is not another request", async () => {
    await assert.rejects(client.getWallet({ alias: ".." }), RangeError);
    assert.equal(relay.seen.length, 0);
  });
  test("an object that has changed is not changed again", async () => {
    const made = await client.createProposal({ alias: vault, body: rent });
    const read = await client.getProposal({ alias: vault, id: made.id! });
    const psbt = (await callNode<{ psbt: string }>("/wallet/ann", "walletprocesspsbt", read.psbt)).psbt;
    await client.addSignatures({ alias: vault, id: made.id!, body: Uint8Array.from(atob(psbt), (c) => c.charCodeAt(0)), ifMatch: etagOf(read) });
    await assert.rejects(client.cancelProposal({ alias: vault, id: made.id!, ifMatch: etagOf(read) }), failsWith("proposal_changed", 412));
    const now = await client.getProposal({ alias: vault, id: made.id! });
    assert.equal((await client.cancelProposal({ alias: vault, id: made.id!, ifMatch: etagOf(now) }))?.status, "cancelled");
  });
});

test("lists are read page by page, and exports as a stream", async () => {
  const all: string[] = [];
  for await (const one of client.each("listTransactions", { alias: vault, limit: 2 })) all.push(one.txid);
  assert.ok(all.length > 2 && relay.seen.length === Math.ceil(all.length / 2), `${all.length} transactions in ${relay.seen.length} pages`);
  assert.equal(new Set(all).size, all.length);
  const csv = await (await client.request("listTransactions", { alias: vault, accept: "text/csv" })).text();
  assert.equal(csv.trim().split("\n").length, all.length + 1);
});

test("events continue after an interruption, without a gap or a repetition", async () => {
  const stop = new AbortController();
  const labels: string[] = [];
  const { next_after: start } = await client.listEvents({ alias: vault, after: "latest" });
  relay.seen = [];
  relay.faults = ["lose"];
  const reader = (async () => {
    for await (const event of client.events({ alias: vault, kinds: "address", after: start, signal: stop.signal })) {
      labels.push(event.type);
      if (labels.length === 3) stop.abort();
    }
  })();
  const own = new Client(url, await token("addresses:write", "wallets:read"));
  while (relay.seen.length < 2) await new Promise((resolve) => setTimeout(resolve, 20)); // connected again
  await own.createAddress({ alias: vault, body: { label: "one" } });
  await own.createAddress({ alias: vault, body: { label: "two" } });
  while (labels.length < 2) await new Promise((resolve) => setTimeout(resolve, 20));
  relay.seen.at(-1)!.socket.destroy();
  await own.createAddress({ alias: vault, body: { label: "three" } });
  await assert.rejects(reader, { name: "AbortError" });
  assert.deepEqual(labels, ["address.revealed", "address.revealed", "address.revealed"]);
});

test("events after a deleted position, and without the scope, are errors", async () => {
  await assert.rejects(client.events({ after: "AAAAAAAAAAAAAAAAAAAAAA" }).next(), (error) => error instanceof SpecterdError && [400, 410].includes(error.status));
  await assert.rejects(new Client(url, await token("wallets:read")).events().next(), failsWith("insufficient_scope", 403));
});

describe("webhooks", () => {
  const secret = `whsec_${btoa("a secret of 24 characters")}`;
  const body = '{"type":"proposal.created","timestamp":"2026-12-01T10:00:00Z","data":{"n":1}}';
  const now = Math.floor(Date.now() / 1000);
  const sign = (key: string, sent = now) => `v1,${createHmac("sha256", Buffer.from(key.slice(6), "base64")).update(`m1.${sent}.${body}`).digest("base64")}`;
  const headers = (signature: string, sent = now) => ({ "webhook-id": "m1", "webhook-timestamp": String(sent), "Webhook-Signature": signature });
  const other = `whsec_${btoa("another secret")}`;

  test("a message is verified by one of its signatures", async () => {
    const message = await verifyWebhook(secret, headers(`v1a,x ${sign(other)} ${sign(secret)}`), body);
    assert.deepEqual(message, { id: "m1", type: "proposal.created", timestamp: "2026-12-01T10:00:00Z", data: { n: 1 } });
    await verifyWebhook([other, secret], new Headers(headers(sign(secret))), new TextEncoder().encode(body));
  });
  for (const [name, given, why] of [
    ["of another secret", headers(sign(other)), /no signature is valid/],
    ["without a signature", headers(""), /no signature is valid/],
    ["with a damaged signature", headers(sign(secret).slice(0, -4) + "AAA="), /no signature is valid/],
    ["that is old", headers(sign(secret, now - 301), now - 301), /more than 300 seconds/],
    ["of the future", headers(sign(secret, now + 400), now + 400), /more than 300 seconds/],
    ["without an id", { ...headers(sign(secret)), "webhook-id": "" }, /webhook-id/],
  ] as const) test(`a message ${name} is refused`, () => assert.rejects(verifyWebhook(secret, given, body), why));
  test("a wrong secret is not a refusal", () => assert.rejects(verifyWebhook("secret", headers(sign(secret)), body), RangeError));
});

test("a server that is not specterd is named", async () => {
  await assert.rejects(new Client(environment("NODE_URL").replace(/\/\/.*@/, "//"), "x", { retries: 0 }).getFees(), failsWith("invalid_response", 404));
  await assert.rejects(new Client("http://127.0.0.1:1", "x", { retries: 0 }).getFees(), failsWith("network_error", 0));
});

test("unknown credentials are refused for user and password", () =>
  assert.rejects(new Client(url, { user: "admin", password: "wrong, with ü" }).listTokens(), failsWith("unauthenticated", 401)));

test("admin lists tokens with a password", async () => {
  const names: string[] = [];
  for await (const one of admin.each("listTokens")) names.push(one.description);
  assert.ok(names.some((name) => name.startsWith("typescript ")));
});
