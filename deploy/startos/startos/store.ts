import { FileHelper, utils, z } from '@start9labs/start-sdk'
import { sdk } from './sdk'

// The password of the first admin. specterd reads it at its first start only.
const shape = z.object({ firstPassword: z.string().optional().catch(undefined) })

export const store = FileHelper.json({ base: sdk.volumes.startos, subpath: '/store.json' }, shape)

export const seedPassword = sdk.setupOnInit(async (effects, kind) => {
  if (kind === 'install') {
    await store.merge(effects, { firstPassword: utils.getDefaultString({ charset: 'a-z,A-Z,0-9', len: 24 }) })
  }
})
