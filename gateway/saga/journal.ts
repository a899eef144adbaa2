import type { Clock } from '../core/clock.ts'
import { digest } from '../core/digest.ts'
import { GatewayError } from '../core/errors.ts'
import type { Journal, Saga, SagaDraft, SagaHook, WriteDraft } from '../core/journal.ts'
import type { Logger, Metrics } from '../core/telemetry.ts'
import { type Backoff, backoffMs } from '../events/backoff.ts'
import { isRefusal, isWorthAnotherTry, reasonOf, toGatewayError } from './journal-failure.ts'
import {
  factsOf,
  type JournalWrite,
  keptAs,
  NO_PAST,
  nextToUndo,
  type Past,
  type SagaEntry,
  type SagaState,
  statesOf,
  timesUndone,
  withWrite,
} from './saga-entry.ts'
import type { SagaNews } from './saga-news.ts'
import type { SagaStorage } from './saga-storage.ts'

export interface JournalParts {
  readonly storage: SagaStorage
  readonly clock: Clock
  readonly random: () => number
  readonly createId: () => string
  readonly log: Logger
  readonly metrics: Metrics
  readonly news: SagaNews
  /** Called when a saga is to be undone. */
  readonly wake: () => void
  readonly onStep?: SagaHook
}

const REWRITE: Backoff = { baseMs: 250, maxMs: 5_000 }
const KEY_DIGITS = 32

/** The journal on top of a storage: notes what is about to be written and what came of it, and leaves undoing to the undoer. */
export function createJournal(parts: JournalParts): Journal {
  return {
    ...(parts.onStep && { onStep: parts.onStep }),
    async begin(draft) {
      const { identity } = draft
      const past = identity === undefined ? NO_PAST : await parts.storage.past(identity).catch((cause) => refuse(cause))
      return createSaga(draft, past, parts)
    },
  }

  function refuse(cause: unknown): never {
    throw toGatewayError(cause, 'Writes cannot be noted at present', parts.clock.now())
  }
}

function createSaga(draft: SagaDraft, past: Past, parts: JournalParts): Saga {
  const { storage, clock, log, metrics, news, wake, onStep } = parts
  const id = parts.createId()
  let entry: SagaEntry<SagaState> = {
    id,
    state: 'open',
    draft,
    past,
    writes: [],
    beganAtMs: clock.now(),
    attempts: 0,
  }
  const facts = factsOf(entry)
  /** Complete, or to be undone: nothing is written any more. */
  let isDecided = false
  const put = (next: SagaEntry<SagaState>) => storage.change(id, () => next)

  /** The decision stands even if it cannot be written now (e.g. disk full): it is written later. */
  async function undoLater(next: SagaEntry<SagaState>, failures: number): Promise<void> {
    clock.after(backoffMs(REWRITE, failures, parts.random), async () => {
      try {
        await put(next)
        log.info('Noted late that writes are to be undone', facts)
        wake()
      } catch (error) {
        if (isWorthAnotherTry(error)) void undoLater(next, failures + 1)
      }
    })
  }

  /** A service that counts keys by address, say, would do another write with the key of one that is never taken back. */
  async function againstPast({ part, upstream, request }: WriteDraft) {
    if (draft.identity === undefined) return {}
    const fingerprint = await digest([upstream, request.method, request.path, request.body ?? null])
    const standing = keptAs(past, part)
    if (standing === undefined) return { fingerprint }
    if (standing === fingerprint) return { fingerprint, stands: true }
    throw new GatewayError('idempotency-key-reused', {
      detail: 'The key belongs to a request that was completed and has written something else',
    })
  }

  /** It was decided to undo while the intent was on its way to the disk: the write is not made. Always throws. */
  async function withdraw(next: SagaEntry<SagaState>, part: string): Promise<never> {
    if (entry.writes.length === 0) {
      entry = { ...next, writes: withWrite(next.writes, part, { stage: 'not-done' }) }
      await decideToUndo('it was decided before its first write was made')
    }
    throw new GatewayError('overloaded')
  }

  /** Never throws. True once it is durable that everything is undone. */
  async function decideToUndo(reason: string): Promise<boolean> {
    const undoingSinceMs = clock.now()
    const undoing = { ...entry, state: 'undoing', reason, undoingSinceMs, writes: withoutPending(entry) } as const
    const next = nextToUndo(undoing) ? undoing : ({ ...undoing, state: 'undone' } as const)
    entry = next
    try {
      await put(next)
      return true
    } catch (error) {
      log.error('Cannot note that writes are to be undone', { ...facts, reason: messageOf(error) })
      if (isWorthAnotherTry(error)) void undoLater(next, 1)
      return false
    }
  }

  return {
    id,
    get writes() {
      return statesOf(entry)
    },

    async keysOf(part) {
      // Another journal does not know what this one may still take back, so the two must not share bookings.
      const base = [storage.id, draft.identity ?? id, draft.route, part, timesUndone(past, part)]
      const [write, compensation] = await Promise.all([digest([...base, 'write']), digest([...base, 'compensation'])])
      return { write: write.slice(0, KEY_DIGITS), compensation: compensation.slice(0, KEY_DIGITS) }
    },

    async intend(write) {
      await onStep?.('before-intent')
      const noted: JournalWrite = { ...write, stage: 'pending', ...(await againstPast(write)) }
      if (isDecided) throw new GatewayError('overloaded')
      const next = { ...entry, state: 'open', writes: [...entry.writes, noted] } as const
      try {
        await (entry.writes.length === 0 ? storage.add(next) : put(next))
      } catch (cause) {
        if (isRefusal(cause)) metrics.count('sluice_journal_refused_total', { reason: reasonOf(cause) })
        log.error('Cannot note a write', { ...facts, part: write.part, reason: messageOf(cause) })
        throw toGatewayError(cause, 'its write cannot be noted, so it was not made', clock.now())
      }
      if (isDecided) return withdraw(next, write.part)
      entry = next
      await onStep?.('after-intent')
    },

    async note(part, outcome) {
      await onStep?.('after-reply')
      // What comes after the decision changes nothing: the undoer finds out by itself.
      if (isDecided) return
      const { kind: stage } = outcome
      const reason = outcome.kind === 'unknown' ? { reason: outcome.reason } : {}
      const known = entry.writes.find((write) => write.part === part)?.compensation
      const compensation =
        outcome.kind === 'done' && known
          ? { compensation: { ...known, values: { ...known.values, ...outcome.ofReply } } }
          : {}
      entry = { ...entry, writes: withWrite(entry.writes, part, { stage, ...reason, ...compensation }) }
      // Not waited for: until it is on the disk the write counts as unknown, and the next intent or the end shares its sync.
      put(entry).catch((error: unknown) => {
        log.error('Cannot note the outcome of a write', { ...facts, part, outcome: stage, reason: messageOf(error) })
      })
      await onStep?.('after-note')
    },

    async complete(shown) {
      isDecided = true
      if (entry.writes.length === 0) return
      await onStep?.('before-completion')
      const writes = withoutPending(entry).map((write) =>
        write.stage === 'done' && (shown.has(write.part) || !write.compensation)
          ? { ...write, stage: 'kept' as const }
          : write,
      )
      const kept = { ...entry, writes, reason: 'the answer is without some of the writes' }
      const isWhole = nextToUndo(kept) === undefined
      const next = isWhole
        ? ({ ...kept, state: 'done' } as const)
        : ({ ...kept, state: 'undoing', undoingSinceMs: clock.now() } as const)
      try {
        await put(next)
      } catch (cause) {
        log.error('Cannot note that writes are complete', { ...facts, reason: messageOf(cause) })
        if (await decideToUndo('it could not be noted that they are complete')) wake()
        throw toGatewayError(cause, 'It cannot be noted that the writes are complete, so they are undone', clock.now())
      }
      entry = next
      if (!isWhole) wake()
      await onStep?.('after-completion')
    },

    async undo(reason, waitMs, calls) {
      isDecided = true
      if (entry.writes.length === 0) return
      await onStep?.('before-undoing')
      const decided = await decideToUndo(reason)
      if (!decided || entry.state !== 'undoing') return
      log.warn('Undoing the writes of a request', { ...facts, trace: draft.traceparent?.slice(3, 35), reason })
      await new Promise<void>((resolve) => {
        const end = () => {
          forget()
          cancel()
          resolve()
        }
        const cancel = clock.after(waitMs, end)
        const forget = news.follow(id, {
          changed(told) {
            entry = told
            if (told.state !== 'undoing' || told.nextAtMs !== undefined) end()
          },
          calling: (record) => calls.push(record),
        })
        wake()
      })
    },
  }
}

function withoutPending({ writes }: Pick<SagaEntry, 'writes'>): SagaEntry['writes'] {
  return writes.map((write) =>
    write.stage === 'pending' ? { ...write, stage: 'unknown', reason: 'its outcome was not waited for' } : write,
  )
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
