/** A process with an outbox, at the command of a test: it obeys the methods of the outbox, and `orders`. */
import type { Outbox } from '../../gateway/events/outbox.ts'
import { openSqliteOutbox } from '../../gateway/runtimes/bun/sqlite-outbox.ts'
import { commitOrder } from './outbox-conformance.ts'
import { servePeer } from './peer.ts'

const [path = '', capacity = '100000'] = process.argv.slice(2)
const outbox = openSqliteOutbox({ path, capacity: Number(capacity) })

/** Commits `count` orders one after another for each of the subjects, all subjects at once; resolves with how many went in. */
async function orders(prefix: string, subjects: readonly string[], count: number): Promise<number> {
  const stored = await Promise.all(
    subjects.map(async (subject) => {
      let done = 0
      for (let i = 0; i < count; i++) {
        await commitOrder(outbox, `${prefix}-${subject}-${i}`, subject).then(
          () => done++,
          () => {},
        )
      }
      return done
    }),
  )
  return stored.reduce((a, b) => a + b, 0)
}

await servePeer((name, ...args) => {
  const method = name === 'orders' ? orders : outbox[name as keyof Outbox]
  return Reflect.apply(method, outbox, args)
})
