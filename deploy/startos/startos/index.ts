import { buildManifest, IMPOSSIBLE, VersionGraph, VersionInfo } from '@start9labs/start-sdk'
import { actions } from './actions'
import { manifest as ofPackage } from './manifest'
import { port, sdk } from './sdk'
import { seedPassword } from './store'

const current = VersionInfo.of({
  version: '0.1.0:0',
  releaseNotes: 'First version',
  migrations: { up: async () => {}, down: IMPOSSIBLE },
})

const versions = VersionGraph.of({ current, other: [] })

const setInterfaces = sdk.setupInterfaces(async ({ effects }) => {
  const origin = await sdk.MultiHost.of(effects, 'main').bindPort(port, { protocol: 'http' })
  const console = sdk.createInterface(effects, {
    name: 'Web console and API',
    id: 'ui',
    description: 'Wallets, proposals, users and access tokens',
    type: 'ui',
    masked: false,
    schemeOverride: null,
    username: null,
    path: '',
    query: {},
  })
  return [await origin.export([console])]
})

const setDependencies = sdk.setupDependencies(async () => ({
  bitcoind: { kind: 'running', versionRange: '>=28.0', healthChecks: ['bitcoind'] },
}))

export const { createBackup, restoreInit } = sdk.setupBackups(async () => sdk.Backups.ofVolumes('main', 'startos'))

export const init = sdk.setupInit(restoreInit, versions, seedPassword, setInterfaces, setDependencies, actions)
export const uninit = sdk.setupUninit(versions)
export const manifest = buildManifest(versions, ofPackage)
export { actions } from './actions'
export { main } from './main'
