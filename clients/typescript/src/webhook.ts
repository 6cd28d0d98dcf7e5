import type { WebhookMessage } from "./types.js";

/** Verifies a message of a webhook (Standard Webhooks 1.0) and returns it. body is the unparsed body. Pass both secrets during a rotation. */
export async function verifyWebhook(secrets: string | string[], headers: Headers | Record<string, string>, body: string | Uint8Array, tolerance = 300): Promise<WebhookMessage> {
  const all = new Headers(headers), id = all.get("webhook-id") ?? "", sent = all.get("webhook-timestamp") ?? "";
  const refuse = (why: string) => new Error(`the message is not from specterd: ${why}`);
  if (!id || !/^\d{1,15}$/.test(sent)) throw refuse("the header webhook-id or webhook-timestamp is missing or invalid");
  if (Math.abs(Date.now() / 1000 - Number(sent)) > tolerance) throw refuse(`it was signed more than ${tolerance} seconds before or after now`);
  const bytes = typeof body === "string" ? new TextEncoder().encode(body) : body;
  const signed = new Uint8Array([...new TextEncoder().encode(`${id}.${sent}.`), ...bytes]);
  for (const secret of [secrets].flat()) {
    if (!/^whsec_[A-Za-z0-9+/]+=*$/.test(secret)) throw new RangeError("the secret of a webhook must be whsec_ and base64");
    const key = await crypto.subtle.importKey("raw", decode(secret.slice(6)), { name: "HMAC", hash: "SHA-256" }, false, ["verify"]);
    for (const [, signature] of (all.get("webhook-signature") ?? "").matchAll(/(?<=^| )v1,([A-Za-z0-9+/]{43}=)(?=$| )/g)) {
      if (await crypto.subtle.verify("HMAC", key, decode(signature!), signed)) {
        return { ...(JSON.parse(new TextDecoder().decode(bytes)) as WebhookMessage), id };
      }
    }
  }
  throw refuse("no signature is valid; the secret may be the wrong one, or the body was changed");
}

const decode = (base64: string) => Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
