// The environment of the tests: the demo's vault, whose signers are wallets of the node.
import { createServer, request, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { Client } from "../src/index.js";

/** Returns a variable that go test -run TestTypeScriptClient ./internal/cli sets. */
export function environment(name: string): string {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set; go test -run TestTypeScriptClient ./internal/cli starts a server and sets it`);
  return value;
}

export const url = environment("URL");
export const vault = "community_vault";
export const shop = "bcrt1q6rhpng9evdsfnn833a4f4vej0asu6dk5srld6x";
export const admin = new Client(url, { user: "admin", password: environment("ADMIN_PASSWORD") });

export async function token(...scopes: string[]): Promise<string> {
  const made = await admin.createToken({ body: { description: `typescript ${Math.random()}`, lifetime: "1 hour", scopes } });
  return made.token;
}

/** Calls an RPC method of the node. */
export async function callNode<T>(path: string, method: string, ...params: unknown[]): Promise<T> {
  const node = new URL(environment("NODE_URL"));
  const authorization = `Basic ${btoa(`${node.username}:${node.password}`)}`;
  const response = await fetch(`http://${node.host}${path}`, { method: "POST", headers: { authorization }, body: JSON.stringify({ method, params }) });
  return ((await response.json()) as { result: T }).result;
}

type Fault = "lose" | "refuse" | "cut" | "redirect" | "page";

/** Passes requests on to the server. faults apply to the next requests, one each. */
export class Relay {
  faults: Fault[] = [];
  seen: IncomingMessage[] = [];
  url = "";
  private readonly server = createServer((incoming, response) => this.pass(incoming, response));

  async start(): Promise<void> {
    await new Promise<void>((resolve) => this.server.listen(0, "127.0.0.1", resolve));
    this.url = `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  stop(): void {
    this.server.closeAllConnections();
    this.server.close();
  }

  private pass(incoming: IncomingMessage, response: ServerResponse): void {
    this.seen.push(incoming);
    const fault = this.faults.shift();
    if (fault === "refuse") {
      response.writeHead(503, { "Retry-After": "0", "Content-Type": "application/problem+json" });
      response.end(JSON.stringify({ code: "database_unavailable", detail: "later", status: 503 }));
      return;
    }
    if (fault === "page") return void response.writeHead(502).end("<h1>Bad Gateway</h1>");
    if (fault === "redirect") return void response.writeHead(302, { Location: `${url}${incoming.url}` }).end();
    const outgoing = request(`${url}${incoming.url}`, { method: incoming.method, headers: incoming.headers }, (answer) => {
      if (fault === "lose") return void incoming.socket.destroy();
      response.writeHead(answer.statusCode!, answer.headers);
      answer.on("data", (part: Buffer) => {
        if (fault !== "cut") return void response.write(part);
        response.write(part.subarray(0, part.length / 2), () => incoming.socket.destroy());
      });
      answer.on("end", () => fault !== "cut" && response.end());
    });
    response.on("close", () => outgoing.destroy());
    outgoing.on("error", () => response.destroy());
    incoming.pipe(outgoing);
  }
}
