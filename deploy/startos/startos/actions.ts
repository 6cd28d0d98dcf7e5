import { sdk } from './sdk'
import { store } from './store'

const showFirstPassword = sdk.Action.withoutInput(
  'show-first-password',
  async () => ({
    name: 'Show the first password',
    description: 'The password with which you sign in as admin for the first time',
    warning: null,
    allowedStatuses: 'any',
    group: null,
    visibility: 'enabled',
  }),
  async () => ({
    version: '1',
    title: 'First password',
    message: 'Sign in as admin, then choose another password under Settings.',
    result: {
      type: 'single',
      value: (await store.read((s) => s.firstPassword).once()) ?? '',
      masked: true,
      copyable: true,
      qr: false,
    },
  }),
)

export const actions = sdk.Actions.of().addAction(showFirstPassword)
