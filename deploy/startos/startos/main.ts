import { port, sdk } from './sdk'
import { store } from './store'

const nodeFolder = '/mnt/bitcoind'

export const main = sdk.setupMain(async ({ effects }) => {
  const firstPassword = await store.read((s) => s.firstPassword).const(effects)
  if (!firstPassword) throw new Error('the first password is missing: install the package again')

  // The host id and the port of the package bitcoin-core-startos.
  const node = await sdk.host
    .getBridgeAddress(effects, { packageId: 'bitcoind', hostId: 'rpc', internalPort: 8332, ssl: false })
    .const()
  if (!node) throw new Error('Bitcoin is not installed')
  const [host, rpcPort] = node.split(':')

  const mounts = sdk.Mounts.of()
    .mountVolume({ volumeId: 'main', subpath: null, mountpoint: '/data', readonly: false })
    .mountDependency({ dependencyId: 'bitcoind', volumeId: 'main', subpath: null, mountpoint: nodeFolder, readonly: true })

  return sdk.Daemons.of(effects).addDaemon('primary', {
    subcontainer: sdk.SubContainer.of(effects, { imageId: 'specterd' }, mounts, 'specterd'),
    exec: {
      command: ['/specterd', 'serve'],
      // The cookie of the node and the volume belong to root there.
      user: 'root',
      env: {
        SPECTER_API_ACTIVE: 'true',
        SPECTER_DATA_FOLDER: '/data',
        SPECTER_ADMIN_PASSWORD: firstPassword,
        HOST: '0.0.0.0',
        BTC_RPC_HOST: host,
        BTC_RPC_PORT: rpcPort,
        BTC_RPC_COOKIE_FILE: `${nodeFolder}/.cookie`,
      },
    },
    ready: {
      display: 'Web console',
      fn: () =>
        sdk.healthCheck.checkPortListening(effects, port, {
          successMessage: 'The web console is ready',
          errorMessage: 'The web console is not ready',
        }),
    },
    requires: [],
  })
})
