/**
 * A process with a journal, at the command of a test: it obeys the methods of the storage, `change` with the fields that
 * are to be changed.
 */
import { openSqliteSagas } from '../../gateway/runtimes/bun/sqlite-sagas.ts'
import type { SagaEntry } from '../../gateway/saga/saga-entry.ts'
import type { SagaStorage } from '../../gateway/saga/saga-storage.ts'
import { servePeer } from './peer.ts'

const [path = ''] = process.argv.slice(2)
const sagas = openSqliteSagas({ path })

await servePeer((name, ...args) => {
  if (name !== 'change') return Reflect.apply(sagas[name as Exclude<keyof SagaStorage, 'id'>], sagas, args)
  const [id, changes] = args as [string, Partial<SagaEntry>]
  return sagas.change(id, (entry) => ({ ...entry, ...changes }))
})
