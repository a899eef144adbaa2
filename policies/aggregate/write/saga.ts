import type { Clock } from '../../../gateway/core/clock.ts'
import { digest } from '../../../gateway/core/digest.ts'
import { ClientGone, GatewayError } from '../../../gateway/core/errors.ts'
import type { Exchange } from '../../../gateway/core/exchange.ts'
import { IDEMPOTENCY_KEY_RULE, parseIdempotencyKey } from '../../../gateway/core/idempotency-key.ts'
import type { Journal, Saga } from '../../../gateway/core/journal.ts'
import { note } from '../answer/summary.ts'
import { callerOf } from '../run/caller.ts'
import type { Composition } from '../run/plan.ts'

export interface SagaParts {
  readonly journal: Journal
  readonly clock: Clock
  /** Name of the place, for keys. */
  readonly mount: string
  readonly withinMs: number
}

/** Answers of a composition that writes: all of it or nothing. */
export interface Writing {
  readonly compose: (exchange: Exchange, saga: Saga) => Promise<Composition>
  readonly answer: (composition: Composition, exchange: Exchange) => Promise<Response>
}

/** Time kept to send the problem in, once undoing is given up to the background. */
const RESERVE_MS = 50

/** Composes within a saga: completes it before the answer goes out, and undoes it whenever there is none. */
export function createSagas({ journal, clock, mount, withinMs }: SagaParts, { compose, answer }: Writing) {
  async function begin(exchange: Exchange): Promise<Saga> {
    const { id, route, request, path, trace, scope } = exchange
    const key = keyOf(exchange)
    const caller = scope.clientId
    return journal.begin({
      route,
      method: request.method,
      path,
      requestId: id,
      traceparent: trace.traceparent,
      withinMs,
      ...(caller === undefined ? {} : { caller }),
      ...(key === undefined
        ? {}
        : { idempotencyKey: key, identity: await digest([mount, callerOf(exchange) ?? null, key]) }),
    })
  }

  async function run(exchange: Exchange): Promise<Response> {
    const saga = await begin(exchange).catch((error: unknown) => refuse(error, exchange))
    let isCompleting = false
    // The log line of the request may be written at any time from now on.
    note(exchange.record, {
      saga: saga.id,
      get writes() {
        return isCompleting ? undefined : saga.writes
      },
    })
    try {
      const composition = await compose(exchange, saga)
      const response = await answer(composition, exchange)
      isCompleting = true
      await saga.complete(new Set(composition.outcomes.flatMap(({ kind, part }) => (kind === 'ok' ? [part] : []))))
      isCompleting = false
      return response
    } catch (error) {
      isCompleting = false
      const leftMs = exchange.signal.aborted ? 0 : exchange.deadline - clock.now() - RESERVE_MS
      await saga.undo(reasonOf(error), Math.max(0, leftMs), exchange.record.calls)
      if (saga.writes.length === 0) throw error
      throw withWrites(error, saga)
    }
  }

  return (exchange: Exchange): Promise<Response> => {
    const work = run(exchange)
    // The client may leave before all is undone or noted.
    exchange.waitUntil(work.catch(() => {}))
    return work
  }
}

/** Why there can be no writes is for the log; which of them stand in the way, say. */
function refuse(error: unknown, { record }: Exchange): never {
  if (error instanceof GatewayError && error.cause instanceof Error) record.cause = error.cause.message
  throw error
}

/** Undefined when the client has sent none. Throws `GatewayError` for what is no key. */
function keyOf({ scope }: Exchange): string | undefined {
  const field = scope.header('idempotency-key')
  if (field === undefined) return undefined
  const key = parseIdempotencyKey(field)
  if (key !== undefined) return key
  throw new GatewayError('invalid-request', { detail: `idempotency-key ${IDEMPOTENCY_KEY_RULE}` })
}

function reasonOf(error: unknown): string {
  if (error instanceof GatewayError) return error.detail ?? error.code
  return error instanceof ClientGone ? 'the client has left' : 'the gateway failed'
}

function withWrites(error: unknown, { writes }: Saga): unknown {
  if (!(error instanceof GatewayError)) return error
  const { code, detail, headers, extensions, status, cause } = error
  return new GatewayError(code, {
    ...(detail === undefined ? {} : { detail }),
    ...(code === 'upstream-refused' ? { status } : {}),
    headers,
    cause,
    extensions: { ...extensions, writes },
  })
}
