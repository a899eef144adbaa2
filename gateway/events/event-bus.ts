import type { Clock } from '../core/clock.ts'
import { GatewayError } from '../core/errors.ts'
import type { EventBus, EventStatus, Intent, IntentDraft, StepHook } from '../core/events.ts'
import type { Logger, Metrics } from '../core/telemetry.ts'
import { type Backoff, backoffMs } from './backoff.ts'
import {
  isRemembered,
  type Outbox,
  OutboxClosedError,
  type OutboxEntry,
  OutboxFullError,
  OutboxStateError,
  type Receipt,
} from './outbox.ts'

export interface EventBusParts {
  readonly outbox: Outbox
  readonly clock: Clock
  readonly random: () => number
  /** A new unique id for each intent. */
  readonly createId: () => string
  /** Called when an event has become due. */
  readonly wake: () => void
  readonly log: Logger
  readonly metrics: Metrics
  /** Told of each step between intent and outcome. */
  readonly onStep?: StepHook
}

const REWRITE: Backoff = { baseMs: 250, maxMs: 5_000 }

/** The event bus on top of an outbox: writes intents and outcomes, and leaves delivery to the relay. */
export function createEventBus(parts: EventBusParts): EventBus {
  const { outbox, clock, createId, log, metrics, onStep } = parts

  function refuse(cause: unknown, { route }: IntentDraft): never {
    const isFull = cause instanceof OutboxFullError
    metrics.count('sluice_outbox_refused_total', { reason: isFull ? 'full' : 'storage' })
    log.error('Cannot note an intent', { route, reason: messageOf(cause) })
    throw new GatewayError('overloaded', { headers: { 'retry-after': '5' }, cause })
  }

  return {
    ...(onStep && { onStep }),

    async intend(draft) {
      const id = createId()
      await onStep?.('before-intent')
      await outbox.intend(id, draft, clock.now()).catch((cause: unknown) => refuse(cause, draft))
      await onStep?.('after-intent')
      return createIntent(id, draft, parts)
    },

    async accept(event, address, draft) {
      await onStep?.('before-intent')
      try {
        await outbox.add({ id: event.id, event, address, committedAtMs: clock.now() }, draft)
      } catch (cause) {
        // The command is known already: a repeat is as good as accepted.
        if (!(cause instanceof OutboxStateError)) refuse(cause, draft)
      }
      await onStep?.('after-commit')
      parts.wake()
    },

    async status(id) {
      return toStatus(await outbox.find(id), clock.now())
    },
  }
}

function toStatus(found: OutboxEntry | Receipt | undefined, nowMs: number): EventStatus | undefined {
  if (found?.state === 'delivered') {
    const { deliveredAtMs: atMs, caller } = found
    return isRemembered(found, nowMs) ? { state: 'published', atMs, ...withCaller(caller) } : undefined
  }
  // An intent is no command that anybody was promised an answer about.
  if (!found?.event) return undefined
  const { state, reason, committedAtMs = 0, parkedAtMs, draft } = found
  if (state !== 'parked') return { state: 'accepted', atMs: committedAtMs, ...withCaller(draft.caller) }
  const why = reason === undefined ? {} : { reason }
  return { state: 'parked', atMs: parkedAtMs ?? committedAtMs, ...why, ...withCaller(draft.caller) }
}

function withCaller(caller: string | undefined) {
  return caller === undefined ? {} : { caller }
}

function createIntent(id: string, draft: IntentDraft, parts: EventBusParts): Intent {
  const { outbox, clock, wake, log, metrics, onStep } = parts
  let outcome: string | undefined

  /** The outcome stands even if it cannot be written now (e.g. disk full): the caller hears of it, and it is written later. */
  async function settle(name: string, write: () => Promise<void>): Promise<void> {
    if (outcome) throw new Error(`Cannot ${name} intent "${id}": its outcome is "${outcome}" already`)
    outcome = name
    try {
      await write()
    } catch (cause) {
      log.error('Cannot write the outcome of an intent', { id, route: draft.route, outcome, reason: messageOf(cause) })
      if (isWorthAnotherTry(cause)) rewriteLater(write, 1)
      throw cause
    }
  }

  function rewriteLater(write: () => Promise<void>, failures: number): void {
    clock.after(backoffMs(REWRITE, failures, parts.random), async () => {
      try {
        await write()
        log.info('Wrote the outcome of an intent late', { id, route: draft.route, outcome })
      } catch (error) {
        if (isWorthAnotherTry(error)) rewriteLater(write, failures + 1)
      }
    })
  }

  return {
    id,
    commit: (event, address) => {
      const committedAtMs = clock.now()
      return settle('commit', async () => {
        await outbox.commit(id, { event, address, committedAtMs })
        await onStep?.('after-commit')
        wake()
      })
    },
    withhold: (event, address, reason) => {
      const committedAtMs = clock.now()
      return settle('withhold', async () => {
        await outbox.withhold(id, { event, address, committedAtMs }, reason)
        metrics.count('sluice_events_parked_total')
      })
    },
    reject: () => settle('reject', () => outbox.reject(id)),
    unknown: (reason) => settle('unknown', () => outbox.markUnknown(id, reason)),
  }
}

function isWorthAnotherTry(error: unknown): boolean {
  return !(error instanceof OutboxStateError || error instanceof OutboxClosedError)
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
