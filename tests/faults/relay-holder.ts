import { Database } from 'bun:sqlite'
import type { Part } from './part.ts'
import type { Scene } from './scene.ts'

/** The gateway whose relay has the lease; the first one when nobody has it right now. */
export function relayHolder({ gateways, storage }: Scene): Part {
  const [first] = gateways
  if (!first) throw new Error('A scene has a gateway')
  const database = new Database(storage('outbox'), { readonly: true })
  try {
    const leases = database.query<{ process: string }, []>("SELECT process FROM leases WHERE name = 'relay'").all()
    const pids = leases.map(({ process }) => Number(JSON.parse(process || '{}').pid))
    return gateways.find(({ pid }) => pid !== undefined && pids.includes(pid)) ?? first
  } finally {
    database.close()
  }
}
