// Reads a JSON list of calls from standard input, and writes the list of their results.
import { createInflateRaw } from "node:zlib";
import { readFileSync } from "node:fs";
import bcur from "@ngraveio/bc-ur";
import registry from "@keystonehq/bc-ur-registry";
import { joinQRs, splitQRs } from "bbqr";

const bytes = (hex) => Buffer.from(hex, "hex");

// inflate decompresses in small steps, so that zlib has only its window of 1,024 bytes to copy from.
function inflate(data) {
  return new Promise((resolve, reject) => {
    const stream = createInflateRaw({ windowBits: 10, chunkSize: 64 });
    const chunks = [];
    stream.on("data", (chunk) => chunks.push(chunk)).on("error", reject);
    stream.on("end", () => resolve(Buffer.concat(chunks).toString("hex")));
    stream.end(data);
  });
}

function keyOf({ key, chainCode, path, fingerprint, children, testnet, parent }) {
  const components = (steps) => steps.map(([index, hardened]) => new registry.PathComponent({ index: index ?? undefined, hardened }));
  return new registry.CryptoHDKey({
    isMaster: false,
    key: bytes(key),
    chainCode: bytes(chainCode),
    origin: new registry.CryptoKeypath(components(path), fingerprint && bytes(fingerprint), path.length),
    children: children && new registry.CryptoKeypath(components(children)),
    parentFingerprint: parent && bytes(parent),
    useInfo: testnet && new registry.CryptoCoinInfo(registry.CryptoCoinInfoType.bitcoin, registry.CryptoCoinInfoNetwork.testnet),
  });
}

const expressions = {
  sh: registry.ScriptExpressions.SCRIPT_HASH,
  wsh: registry.ScriptExpressions.WITNESS_SCRIPT_HASH,
  pkh: registry.ScriptExpressions.PUBLIC_KEY_HASH,
  wpkh: registry.ScriptExpressions.WITNESS_PUBLIC_KEY_HASH,
  multi: registry.ScriptExpressions.MULTISIG,
  sortedmulti: registry.ScriptExpressions.SORTED_MULTISIG,
};

function outputOf({ functions, keys, required }) {
  const all = keys.map(keyOf);
  const content = required ? new registry.MultiKey(required, all) : all[0];
  return new registry.CryptoOutput(functions.map((name) => expressions[name]), content);
}

function itemOf(call) {
  switch (call.item) {
    case "psbt":
      return new registry.CryptoPSBT(bytes(call.data));
    case "bytes":
      return new registry.Bytes(bytes(call.data));
    case "hdkey":
      return keyOf(call.keys[0]);
    case "output":
      return outputOf(call);
    case "account":
      return new registry.CryptoAccount(bytes(call.fingerprint), [outputOf(call)]);
    case "accounts":
      return new registry.CryptoMultiAccounts(bytes(call.fingerprint), call.keys.map(keyOf), "device");
  }
}

const calls = {
  split: ({ data, type, encoding, version }) => splitQRs(bytes(data), type, { encoding, maxVersion: version, minVersion: version }).parts,
  join: ({ parts }) => {
    const joined = joinQRs(parts);
    return { type: joined.fileType, data: Buffer.from(joined.raw).toString("hex") };
  },
  inflate: ({ data }) => inflate(bytes(data)),
  encode: (call) => {
    const encoder = new bcur.UREncoder(itemOf(call).toUR(), call.fragment, call.first ?? 0);
    return Array.from({ length: call.count }, () => encoder.nextPart());
  },
  decode: ({ parts }) => {
    const decoder = new registry.URRegistryDecoder();
    let used = 0;
    for (const part of parts) {
      used++;
      decoder.receivePart(part);
      if (decoder.isComplete()) break;
    }
    if (!decoder.isSuccess()) throw new Error("incomplete: " + decoder.resultError());
    const item = decoder.resultRegistryType();
    if (item instanceof registry.CryptoPSBT) return { used, data: item.getPSBT().toString("hex") };
    if (item instanceof registry.CryptoOutput) return { used, texts: [item.toString()] };
    return { used, texts: item.getOutputDescriptors().map((output) => output.toString()), fingerprint: item.getMasterFingerprint().toString("hex") };
  },
};

const results = [];
for (const call of JSON.parse(readFileSync(0, "utf8"))) results.push(await calls[call.call](call));
console.log(JSON.stringify(results));
