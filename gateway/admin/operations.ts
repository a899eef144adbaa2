import { type Context, Hono } from 'hono'
import {
  COMPENSATION_STATES,
  type CompensationOperations,
  ENTRY_STATES,
  OperationRefused,
  type Operations,
} from '../core/operations.ts'
import { type AdminAccess, operatorsOnly } from './guard.ts'

const DEFAULT_LIMIT = 50
const MAX_LIMIT = 1_000

const STATUS = { 'not-found': 404, 'wrong-state': 409, unavailable: 503 } as const

export interface Operable {
  /** Undefined where no event is announced. */
  readonly operations: Operations | undefined
  /** Undefined where no route writes to several services. */
  readonly compensations: CompensationOperations | undefined
}

/**
 * The operator's view over HTTP: the outbox, the dead letters and the writes to be undone, to look at and to decide. What
 * a client sent (header fields, bodies, queries) is never shown.
 */
export function createOperationsApp({ operations, compensations }: Operable, access: AdminAccess): Hono {
  const app = new Hono()
  app.use(operatorsOnly(access))
  app.onError((error, c) => {
    if (error instanceof OperationRefused) return c.json({ error: error.message }, STATUS[error.kind])
    if (error instanceof RangeError) return c.json({ error: error.message }, 400)
    return c.json({ error: error.message }, 500)
  })
  addCompensations(app, compensations)
  if (!operations) {
    const nothing = (c: Context) => c.json({ error: 'This gateway announces no events: there is no outbox' }, 404)
    return app.all('/outbox/*', nothing).all('/dead-letters/*', nothing)
  }
  const { outbox, deadLetters } = operations

  app.get('/outbox', async (c) =>
    c.json(
      await outbox.list({ state: stateOf(c.req.query('state'), ENTRY_STATES), limit: limitOf(c.req.query('limit')) }),
    ),
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
  app.get('/dead-letters/:id', async (c) => c.json(await deadLetters.show(c.req.param('id'))))
  app.post('/dead-letters/:id/discard', async (c) => c.json(await deadLetters.discard(c.req.param('id'))))
  app.post('/dead-letters/:id/replay', async (c) => c.json(await deadLetters.replay(c.req.param('id'))))
  return app
}

function addCompensations(app: Hono, compensations: CompensationOperations | undefined): void {
  if (!compensations) {
    const error = 'No route of this gateway writes to several services: there is no journal'
    app.all('/compensations/*', (c) => c.json({ error }, 404))
    return
  }
  app.get('/compensations', async (c) => {
    const state = stateOf(c.req.query('state'), COMPENSATION_STATES)
    return c.json(await compensations.list({ state, limit: limitOf(c.req.query('limit')) }))
  })
  app.post('/compensations/retry', async (c) => c.json(await compensations.retryAll()))
  app.get('/compensations/:id', async (c) => c.json(await compensations.show(c.req.param('id'))))
  app.post('/compensations/:id/retry', async (c) => c.json(await compensations.retry(c.req.param('id'))))
  app.post('/compensations/:id/discard', async (c) => {
    const id = c.req.param('id')
    await compensations.discard(id)
    return c.json({ id, state: 'discarded' })
  })
}

function stateOf<State extends string>(text: string | undefined, states: readonly State[]): State | undefined {
  const state = states.find((each) => each === text)
  if (text !== undefined && !state)
    throw new RangeError(`"${text.slice(0, 40)}" is no state: give ${states.join(', ')}`)
  return state
}

function limitOf(text: string | undefined): number {
  if (text === undefined) return DEFAULT_LIMIT
  if (/^\d{1,4}$/.test(text) && Number(text) >= 1 && Number(text) <= MAX_LIMIT) return Number(text)
  throw new RangeError(`limit must be a number from 1 to ${MAX_LIMIT}`)
}
