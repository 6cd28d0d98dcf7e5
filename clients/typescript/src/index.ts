import { OPERATIONS } from "./operations.js";
import type { Arguments, Item, List, Methods, Operation, Options, Result, Schemas } from "./types.js";

export type { Arguments, Item, List, Operation, Options, Result, Schemas, WebhookMessage } from "./types.js";
export { verifyWebhook } from "./webhook.js";

/** A request that failed, with the code of the server; or with network_error or invalid_response if specterd did not answer. */
export class SpecterdError extends Error {
  attempts = 1;
  constructor(readonly code: string, readonly status: number, readonly problem: Partial<Schemas["Problem"]>, readonly retryAfter?: number, cause?: unknown) {
    super(problem.detail ?? code, { cause });
    this.name = "SpecterdError";
  }
  get fields(): Schemas["ProblemField"][] { return this.problem.errors ?? []; }
  get requiredScope(): string | undefined { return this.problem.required_scope; }
  get requestId(): string | undefined { return this.problem.request_id; }
  /** Whether the same request may succeed later. */
  get passing(): boolean {
    const told = this.status === 429 || this.status === 503 || this.code === "request_in_progress";
    return this.code === "network_error" || (told && this.retryAfter !== undefined) || (this.code === "invalid_response" && this.status >= 502);
  }
}

const etags = new WeakMap<object, string>();
/** Returns the ETag that an object was read with. */
export const etagOf = (value: object | undefined): string | undefined => value && etags.get(value);

/** Each operation of the API is a method with the name of its operationId. */
export interface Client extends Methods {}
export class Client {
  /** Only few operations accept user and password instead of a token. timeout is that of one attempt, in milliseconds. */
  constructor(readonly url: string, private readonly credential: string | { user: string; password: string }, private readonly limits: { retries?: number; timeout?: number } = {}) {
    this.url = url.replace(/\/+$/, "");
    for (const name of Object.keys(OPERATIONS) as Operation[]) {
      Object.defineProperty(this, name, { value: (args: Arguments<Operation>) => this.call(name, args) });
    }
  }

  /** Calls an operation. The result is undefined if the response has no body. */
  async call<K extends Operation>(name: K, args?: Arguments<K>): Promise<Result<K>> {
    const [response, text] = await this.repeat(name, args, async (r) => [r, await r.text()] as const);
    if (text === "") return undefined as Result<K>;
    const value = parse(text, response.status) as Result<K>, etag = response.headers.get("ETag");
    if (etag) etags.set(value as object, etag);
    return value;
  }

  /** Sends a request and returns its response, which is 2xx, for exports and large bodies. */
  request(name: Operation, args?: object): Promise<Response> {
    return this.repeat(name, args, (response) => Promise.resolve(response));
  }

  /** Yields the entries of all pages of a list. */
  async *each<K extends List>(name: K, args?: Arguments<K>): AsyncGenerator<Item<K>, void> {
    for (let cursor: string | undefined; ; ) {
      const page = (await this.call(name, { ...args, cursor } as unknown as Arguments<K>)) as { items: Item<K>[]; next_cursor?: string };
      yield* page.items;
      if (!(cursor = page.next_cursor)) return;
    }
  }

  /** Yields events without end, and connects again after an interruption. Store the id of each event with your results. */
  async *events(args: { after?: string; alias?: string; kinds?: string; signal?: AbortSignal } = {}): AsyncGenerator<Schemas["LoggedEvent"], void> {
    for (let failures = 1; ; failures++) {
      const silence = new AbortController(); // the server sends its position at least every 15 seconds
      let timer = setTimeout(() => silence.abort(), 30_000);
      try {
        const response = await this.send(args.alias === undefined ? "listAllEvents" : "listEvents", { ...args, accept: "text/event-stream" }, either(args.signal, silence.signal));
        const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
        for (let rest = "", part = await reader.read(); !part.done; part = await reader.read()) {
          clearTimeout(timer);
          timer = setTimeout(() => silence.abort(), 30_000);
          const messages = (rest + part.value).split("\n\n");
          rest = messages.pop()!;
          for (const message of messages) {
            failures = 0;
            const id = /^id: ?(.*)$/m.exec(message)?.[1], data = /^data: ?(.*)$/m.exec(message)?.[1];
            if (id) args = { ...args, after: id };
            if (data) yield parse(data, response.status) as Schemas["LoggedEvent"];
          }
        }
      } catch (error) {
        if (args.signal?.aborted || (error instanceof SpecterdError && !error.passing && error.status < 500)) throw error;
      } finally {
        clearTimeout(timer);
        silence.abort();
      }
      await sleep(backoff(failures + 1), args.signal);
    }
  }

  /** Sends a request, again after a passing failure if the server executes it only once, and reads the response. */
  private async repeat<T>(name: Operation, args: Options = {}, read: (response: Response) => Promise<T>): Promise<T> {
    const [method, , keyed] = OPERATIONS[name], timeout = this.limits.timeout ?? 60_000;
    const idempotencyKey = args.idempotencyKey ?? (keyed ? randomKey() : undefined);
    const repeatable = idempotencyKey !== undefined || method === "GET" || method === "PUT" || method === "DELETE";
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.send(name, { ...args, idempotencyKey }, either(args.signal, AbortSignal.timeout(timeout))).then(read);
      } catch (cause) {
        args.signal?.throwIfAborted();
        const error = cause instanceof TypeError || cause instanceof DOMException ? new SpecterdError("network_error", 0, { detail: `no complete response from ${this.url}: ${String(cause.cause ?? cause)}` }, undefined, cause) : cause;
        if (!(error instanceof SpecterdError)) throw error;
        error.attempts = attempt;
        const wait = error.retryAfter === undefined ? backoff(attempt) : error.retryAfter * 1000 + Math.random() * 500;
        if (!repeatable || !error.passing || wait > timeout || attempt > (this.limits.retries ?? 3)) throw error;
        await sleep(wait, args.signal);
      }
    }
  }

  private async send(name: Operation, args: object, signal: AbortSignal): Promise<Response> {
    const [method, template] = OPERATIONS[name];
    const { body, idempotencyKey, ifMatch, accept, signal: _, ...rest } = args as Options & { body?: BodyInit };
    const query = new URLSearchParams(Object.entries(rest).flatMap(([name, value]) => (value === undefined || value === null ? [] : [[name, String(value)]])));
    const path = template.replace(/\{(\w+)\}/g, (_, parameter: string) => {
      const value = query.get(parameter) ?? "";
      if (["", ".", ".."].includes(value)) throw new RangeError(`${name} requires ${parameter}`); // such a path is another one
      query.delete(parameter);
      return encodeURIComponent(value);
    });
    const one = this.credential, basic = (text: string) => btoa(String.fromCharCode(...new TextEncoder().encode(text)));
    const authorization = typeof one === "string" ? `Bearer ${one.trim()}` : `Basic ${basic(`${one.user}:${one.password}`)}`;
    const headers = new Headers({ Authorization: authorization, Accept: accept ?? "application/json" });
    if (idempotencyKey) headers.set("Idempotency-Key", idempotencyKey);
    if (ifMatch) headers.set("If-Match", ifMatch);
    const isObject = body !== undefined && typeof body !== "string" && !(body instanceof Blob) && !(body instanceof Uint8Array);
    if (isObject || body instanceof Uint8Array) headers.set("Content-Type", isObject ? "application/json" : "application/octet-stream");
    const payload = isObject ? JSON.stringify(body) : (body ?? null); // fetch knows the type of a string and of a Blob
    const response = await fetch(`${this.url}${path}?${query}`, { method, headers, signal, body: payload, redirect: "error", credentials: "omit", cache: "no-store" });
    if (response.ok) return response;
    const problem = parse(await response.text(), response.status) as Partial<Schemas["Problem"]>, after = Number(response.headers.get("Retry-After") ?? NaN);
    throw new SpecterdError(problem.code ?? "invalid_response", response.status, problem, after >= 0 ? after : undefined);
  }
}

function parse(text: string, status: number): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new SpecterdError("invalid_response", status, { detail: `the response ${status} is not from specterd; check the address` }, undefined, cause);
  }
}

const either = (one: AbortSignal | undefined, other: AbortSignal) => (one ? AbortSignal.any([one, other]) : other);
const backoff = (attempt: number) => Math.min(30_000, 500 * 2 ** Math.min(attempt - 1, 10)) * (0.5 + Math.random() / 2);
const randomKey = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
const sleep = (ms: number, signal?: AbortSignal) =>
  new Promise<void>((resolve, reject) => {
    const timer = setTimeout(resolve, ms);
    signal?.addEventListener("abort", () => { clearTimeout(timer); reject(signal.reason); }, { once: true });
  });
