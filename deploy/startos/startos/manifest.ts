import { setupManifest } from '@start9labs/start-sdk'

export const manifest = setupManifest({
  id: 'specterd',
  title: 'specterd',
  license: 'MIT',
  packageRepo: 'https://github.com/specterd/specterd',
  upstreamRepo: 'https://github.com/specterd/specterd',
  marketingUrl: 'https://github.com/specterd/specterd',
  donationUrl: null,
  description: {
    short: 'Shared watch-only wallets, API and web console',
    long: 'specterd serves the watch-only wallets of your Bitcoin node to several people and programs. It never holds a private key.',
  },
  volumes: ['main', 'startos'],
  images: {
    specterd: {
      source: { dockerTag: 'ghcr.io/specterd/specterd:0.1.0' },
      arch: ['x86_64', 'aarch64'],
    },
  },
  dependencies: {
    bitcoind: {
      description: 'The node whose wallets specterd serves',
      optional: false,
      metadata: {
        title: 'Bitcoin',
        icon: 'https://raw.githubusercontent.com/Start9Labs/bitcoin-core-startos/refs/heads/30.x/dep-icon.svg',
      },
    },
  },
})
