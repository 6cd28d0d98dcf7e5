// Reads a JSON list of Caravan configurations from standard input, and writes for each what Caravan's packages make
// of it: both descriptors, the configuration that they decode again from the descriptors, and the first two addresses
// of each branch.
import { register } from 'node:module';
import { text } from 'node:stream/consumers';

// @caravan/descriptors imports its own files without their extension, which Node.js does not resolve.
register('data:text/javascript,' + encodeURIComponent(`export async function resolve(name, context, next) {
  try {
    return await next(name, context);
  } catch (e) {
    if (name.startsWith('.')) return next(name + '.js', context);
    throw e;
  }
}`));
const { decodeDescriptors, encodeDescriptors } = await import('@caravan/descriptors');
const bitcoin = await import('@caravan/bitcoin');

const results = [];
for (const file of JSON.parse(await text(process.stdin))) {
  const keyOrigins = file.extendedPublicKeys.map(({ xfp, bip32Path, xpub }) => ({ xfp, bip32Path, xpub }));
  const config = { requiredSigners: file.quorum.requiredSigners, addressType: file.addressType, network: file.network, keyOrigins };
  const { receive, change } = await encodeDescriptors(config);
  const decoded = await decodeDescriptors(change, receive, file.network);
  const branches = ['0', '1'].map((index) => {
    const keys = keyOrigins.map(({ xfp, bip32Path, xpub }) => ({ base58String: xpub, path: bip32Path, rootFingerprint: xfp }));
    const braid = bitcoin.generateBraid(file.network, file.addressType, keys, file.quorum.requiredSigners, index);
    return [0, 1].map((i) => bitcoin.multisigAddress(bitcoin.deriveMultisigByIndex(braid, i)));
  });
  results.push({ receive, change, decoded, branches });
}
process.stdout.write(JSON.stringify(results));
