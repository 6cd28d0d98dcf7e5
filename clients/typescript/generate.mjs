// Generates src/schema.ts, the types of docs/openapi.json, and src/operations.ts, a table of its operations.
import { readFile, writeFile } from "node:fs/promises";
import { pathToFileURL } from "node:url";
import openapiTS, { astToString } from "openapi-typescript";

const specification = process.argv[2] ? pathToFileURL(process.argv[2]) : new URL("../../docs/openapi.json", import.meta.url);
const document = JSON.parse(await readFile(specification, "utf8"));
const write = (name, text) => writeFile(new URL(`src/${name}`, import.meta.url), text);

await write("schema.ts", astToString(await openapiTS(specification, { alphabetize: true })));

const lines = [];
for (const [path, methods] of Object.entries(document.paths)) {
  for (const [method, operation] of Object.entries(methods)) {
    if (path.startsWith("/api/v1alpha")) continue; // is for scripts written for Specter Desktop; v1 has all of it
    const names = (place) => (operation.parameters ?? []).filter((p) => p.in === place).map((p) => p.name);
    const keyed = names("header").includes("Idempotency-Key");
    const query = names("query");
    const reserved = [...names("path"), "body", "idempotencyKey", "ifMatch", "accept", "signal"];
    const twice = query.filter((name) => reserved.includes(name));
    if (twice.length > 0) throw new Error(`${operation.operationId}: the parameter ${twice} would have two meanings`);
    lines.push(`  ${operation.operationId}: ["${method.toUpperCase()}", "${path}", ${keyed}],\n`);
  }
}
lines.sort();
const comment = "/** Method and path of each operation, and whether it accepts an Idempotency-Key; generated from docs/openapi.json. */\n";
await write("operations.ts", `${comment}export const OPERATIONS = {\n${lines.join("")}} as const satisfies Record<string, readonly [string, string, boolean]>;\n`);
