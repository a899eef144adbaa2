import { ENTRY_STATES, type EntryState, type OutboxItem, type OutboxList } from '../../../core/operations.ts'
import { systemClock } from '../system-clock.ts'
import { toLimit, toName } from './arguments.ts'
import { asPromised, nextAttempt, triedBy } from './next-attempt.ts'
import { type OperatorFlags, operate, outboxOf, type Reached } from './operator.ts'
import { age, facts, oneLine, shorten, table } from './table.ts'
import { reportTally, theOne } from './wishes.ts'

interface ListFlags extends OperatorFlags {
  readonly state?: string
  readonly limit?: string
}

/** `sluice outbox list`: what waits, why, and what to do about it. */
export function listOutbox({ state, limit, ...flags }: ListFlags): Promise<number> {
  const wish = { state: toName(state, 'state', ENTRY_STATES), limit: toLimit(limit) }
  return operate(outboxOf, flags, async ({ operations, ...reached }) => {
    const list = await operations.list(wish)
    const entries = list.entries.map((entry) => asPromised(entry, reached.isLive))
    console.log(
      flags.json ? JSON.stringify({ ...list, entries }, null, 2) : describeList(list, reached, systemClock.now()),
    )
    return 0
  })
}

type From = Omit<Reached<never>, 'operations'>

function describeList({ counts, entries }: OutboxList, { from, isLive }: From, nowMs: number): string {
  const summary = `${ENTRY_STATES.map((state) => `${counts[state]} ${state}`).join(', ')}   (${from})`
  if (entries.length === 0) return `${summary}\nNothing of that waits.`
  const rows = entries.map((entry) => [
    entry.state,
    age(entry.parkedAtMs ?? entry.committedAtMs ?? entry.intendedAtMs, nowMs),
    entry.id,
    entry.route ?? '-',
    entry.event?.type ?? '-',
    shorten(entry.event?.subject ?? '-'),
    [entry.reason, isLive && isTried(entry) && `next attempt ${nextAttempt(entry, nowMs)}`].filter(Boolean).join('; '),
  ])
  const head = ['STATE', 'AGE', 'ID', 'ROUTE', 'EVENT', 'SUBJECT', 'REASON']
  const shown = new Set(entries.map(({ state }) => state))
  const advice = ENTRY_STATES.filter((state) => shown.has(state)).map((state) => ADVICE[state](isLive))
  const all = ENTRY_STATES.reduce((sum, state) => sum + counts[state], 0)
  const more = entries.length < all ? [`${entries.length} of ${all} are shown: --state and --limit show others`] : []
  return [summary, '', table(head, rows), '', ...more, ...advice].join('\n')
}

const ADVICE: Readonly<Record<EntryState, (isLive: boolean) => string>> = {
  parked: () =>
    `parked     waits for you: "outbox show ID" says more; once the reason is mended, "outbox retry ID" or "outbox retry --all"
           puts it back, and "outbox discard ID" gives it up`,
  unknown: (isLive) =>
    isLive
      ? 'unknown    is settled by the gateway, which asks the service; "outbox retry ID" has it ask at once'
      : 'unknown    is settled when a gateway runs, which asks the service; "outbox retry ID" has that one ask at once',
  committed: (isLive) =>
    isLive
      ? 'committed  is sent by itself once the reason is mended; one without a reason is about to be sent'
      : 'committed  is sent by a gateway that runs, and only that knows why one waits',
  pending: () => 'pending    the request is still running',
}

/** Whether a gateway that runs tries it again by itself, and knows when. */
function isTried({ state, settlement, nextAtMs }: OutboxItem): boolean {
  return state === 'unknown' ? settlement !== undefined : state === 'committed' && nextAtMs !== undefined
}

/** `sluice outbox show ID`: everything about one entry but what the client sent. */
export function showEntry(id: string | undefined, flags: OperatorFlags): Promise<number> {
  const wanted = theOne(id, 'outbox show')
  return operate(outboxOf, flags, async ({ operations, ...reached }) => {
    const { isLive } = reached
    const entry = await operations.show(wanted)
    console.log(
      flags.json
        ? JSON.stringify(asPromised(entry, isLive), null, 2)
        : describeEntry(entry, reached, systemClock.now()),
    )
    if (!flags.json && !isLive && entry.state === 'committed') console.log(`\n${ADVICE.committed(isLive)}`)
    return 0
  })
}

const MAX_DATA = 4_000

function describeEntry(entry: OutboxItem, { isLive }: From, nowMs: number): string {
  const { event, settlement } = entry
  const at = (ms: number | undefined) =>
    ms === undefined ? undefined : `${new Date(ms).toISOString()} (${age(ms, nowMs)} ago)`
  const known = facts([
    ['id', entry.id],
    ['state', entry.state],
    ['reason', entry.reason],
    ['route', entry.route],
    ['request', entry.method && `${entry.method} ${entry.path}`],
    ['caller', entry.caller],
    ['idempotency key', entry.idempotencyKey],
    ['trace', entry.traceparent],
    ['intended', at(entry.intendedAtMs)],
    ['committed', at(entry.committedAtMs)],
    ['parked', at(entry.parkedAtMs)],
    ['delivered', at(entry.deliveredAtMs)],
    ['settles by', settlement && `${settlement.mode} at upstream "${settlement.upstream}"`],
    ['attempts', entry.attempts ? `${entry.attempts}` : undefined],
    ['next attempt', isTried(entry) ? (isLive ? nextAttempt(entry, nowMs) : 'when a gateway runs') : undefined],
    ['event', event && `${event.type} ${event.id}`],
    ['subject', event?.subject],
    ['goes to', event && `exchange "${event.exchange}", routing key "${event.routingKey}"`],
  ])
  if (event?.data === undefined) return known
  const data = oneLine(JSON.stringify(event.data))
  return `${known}\ndata             ${data.length > MAX_DATA ? `${data.slice(0, MAX_DATA)}… (--json shows all)` : data}`
}

/** `sluice outbox retry ID | --all`. */
export function retryEntries(
  id: string | undefined,
  { all, ...flags }: OperatorFlags & { readonly all?: boolean },
): Promise<number> {
  const wanted = all && id === undefined ? undefined : theOne(all ? undefined : id, 'outbox retry', '--all')
  return operate(outboxOf, flags, async ({ operations, isLive }) => {
    if (wanted === undefined) return reportTally(await operations.retryAll(), flags, 'put back')
    const entry = await operations.retry(wanted)
    const { id, state } = entry
    const afterwards = isLive || (state !== 'unknown' && state !== 'committed') ? AFTERWARDS[state] : triedBy(isLive)
    console.log(flags.json ? JSON.stringify(asPromised(entry, isLive), null, 2) : `${id} is ${state}: ${afterwards}`)
    return 0
  })
}

/** What becomes of an entry that was put back; it may have gone on by the time it is looked at. */
const AFTERWARDS = {
  committed: 'it is sent as soon as the broker takes it',
  delivered: 'the broker has it',
  unknown: 'the gateway asks the service now, to settle it',
  parked: 'it could not be settled or sent: "outbox show ID" says why',
  pending: 'its request is running',
} as const

/** `sluice outbox discard ID`. */
export function discardEntry(id: string | undefined, flags: OperatorFlags): Promise<number> {
  const wanted = theOne(id, 'outbox discard')
  return operate(outboxOf, flags, async ({ operations }) => {
    await operations.discard(wanted)
    console.log(
      flags.json ? JSON.stringify({ id: wanted, state: 'discarded' }) : `${wanted} is gone: its event is never sent`,
    )
    return 0
  })
}
