import { type Context, Hono } from 'hono'
import { ENTRY_STATES, type EntryState, OperationRefused, type Operations } from '../core/operations.ts'
import { type AdminAccess, operatorsOnly } from './guard.ts'

const DEFAULT_LIMIT = 50
const MAX_LIMIT = 1_000

const STATUS = { 'not-found': 404, 'wrong-state': 409, unavailable: 503 } as const

/**
 * The operator's view over HTTP: the outbox and the dead letters, to look at and to decide. `operations` is undefined
 * where no event is announced. What a client sent (header fields, bodies, queries) is never shown.
 */
export function createOperationsApp(operations: Operations | undefined, access: AdminAccess): Hono {
  const app = new Hono()
  app.use(operatorsOnly(access))
  app.onError((error, c) => {
    if (error instanceof OperationRefused) return c.json({ error: error.message }, STATUS[error.kind])
    if (error instanceof RangeError) return c.json({ error: error.message }, 400)
    return c.json({ error: error.message }, 500)
  })
  if (!operations) {
    const nothing = (c: Context) => c.json({ error: 'This gateway announces no events: there is no outbox' }, 404)
    return app.all('/outbox/*', nothing).all('/dead-letters/*', nothing)
  }
  const { outbox, deadLetters } = operations

  app.get('/outbox', async (c) =>
    c.json(await outbox.list({ state: stateOf(c.req.query('state')), limit: limitOf(c.req.query('limit')) })),
  )
  app.post('/outbox/retry', async (c) => c.json(await outbox.retryAll()))
  app.get('/outbox/:id', async (c) => c.json(await outbox.show(c.req.param('id'))))
  app.post('/outbox/:id/retry', async (c) => c.json(await outbox.retry(c.req.param('id'))))
  app.post('/outbox/:id/discard', async (c) => {
    const id = c.req.param('id')
    await outbox.discard(id)
    return c.json({ id, state: 'discarded' })
  })

  app.get('/dead-letters', async (c) => c.json(await deadLetters.list(limitOf(c.req.query('limit')))))
  app.post('/dead-letters/replay', async (c) => c.json(await deadLetters.replayAll()))
  app.post('/dead-letters/:id/replay', async (c) => c.json(await deadLetters.replay(c.req.param('id'))))
  return app
}

function stateOf(text: string | undefined): EntryState | undefined {
  const state = ENTRY_STATES.find((each) => each === text)
  if (text !== undefined && !state)
    throw new RangeError(`"${text.slice(0, 40)}" is no state: give ${ENTRY_STATES.join(', ')}`)
  return state
}

function limitOf(text: string | undefined): number {
  if (text === undefined) return DEFAULT_LIMIT
  if (/^\d{1,4}$/.test(text) && Number(text) >= 1 && Number(text) <= MAX_LIMIT) return Number(text)
  throw new RangeError(`limit must be a number from 1 to ${MAX_LIMIT}`)
}
