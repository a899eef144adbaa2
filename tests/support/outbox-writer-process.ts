/** Run by the crash test of the SQLite outbox: writes until it is killed, and says on stdout what is durable. */
import { openSqliteOutbox } from '../../gateway/runtimes/bun/sqlite-outbox.ts'

const outbox = openSqliteOutbox({ path: process.argv[2] ?? '' })
const draft = { route: 'place-order', method: 'POST', path: '/orders', idempotencyKey: 'key' }
const address = { exchange: 'shop.events', routingKey: 'order.placed' }

async function order(id: string): Promise<void> {
  await outbox.intend(id, draft, Date.now())
  process.stdout.write(`intended ${id}\n`)
  const event = {
    id: `event-${id}`,
    source: '/gateway',
    type: 'order.placed',
    time: '2026-01-02T03:04:05Z',
    data: { id },
  }
  await outbox.commit(id, { event, address, committedAtMs: Date.now() })
  process.stdout.write(`committed ${id}\n`)
}

for (let round = 0; ; round++) {
  await outbox.intend(`${round}-left`, draft, Date.now())
  process.stdout.write(`intended ${round}-left\n`)
  await Promise.all(Array.from({ length: 20 }, (_, i) => order(`${round}-${i}`)))
}
