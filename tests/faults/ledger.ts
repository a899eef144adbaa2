import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import { createConsumer, createInbox, on, openDatabase, readSchemas } from '../../upstream-mocks/consumer/index.ts'
import type { EventServiceOptions } from '../../upstream-mocks/service/event-service.ts'

const SCHEMAS = fileURLToPath(new URL('../../config/events/', import.meta.url))

const TABLE = `
  CREATE TABLE IF NOT EXISTS effects (order_id TEXT NOT NULL, event_id TEXT NOT NULL) STRICT
`
const FORGETFUL = `
  CREATE TRIGGER IF NOT EXISTS forgetful AFTER INSERT ON inbox BEGIN DELETE FROM inbox; END
`

/**
 * Counts what it hears of: nothing but the inbox keeps an order that is announced twice from being counted twice,
 * which is how it shows what the other services, which know orders they have seen, would cover up.
 */
export function createLedger({ data = ':memory:', events, onStep, log }: EventServiceOptions, isForgetful = false) {
  const database = openDatabase(data === ':memory:' ? data : join(data, 'ledger.db'))
  database.run(TABLE)
  if (isForgetful) database.run(FORGETFUL)
  const add = database.query('INSERT INTO effects (order_id, event_id) VALUES (?, ?)')
  const reaction = on('order.placed', z.object({ id: z.string() }), ({ id }, event) => {
    add.run(id, event.id)
    return []
  })
  const schemas = readSchemas(SCHEMAS, ['order.placed'])
  const inbox = createInbox({
    service: 'ledger',
    source: '/shop/ledger',
    database,
    reactions: [reaction],
    schemas,
    now: Date.now,
    onStep,
  })
  if (!events) throw new Error('The ledger hears of nothing without a broker')
  const consumer = createConsumer({ ...events, inbox, onStep, ...(log && { log }) })
  let server: Bun.Server<undefined> | undefined
  return {
    get port() {
      return server?.port ?? 0
    },
    start() {
      server = Bun.serve({ hostname: '127.0.0.1', port: 0, fetch: () => new Response(consumer.metrics.render()) })
      consumer.start()
    },
    async stop() {
      await consumer.stop()
      await server?.stop(true)
      database.close()
    },
  }
}
