import {
  COMPENSATION_STATES,
  type CompensationItem,
  type CompensationList,
  type CompensationState,
  type CompensationWrite,
} from '../../../core/operations.ts'
import { systemClock } from '../system-clock.ts'
import { toLimit, toName } from './arguments.ts'
import { asPromised, nextAttempt, triedBy } from './next-attempt.ts'
import { compensationsOf, type OperatorFlags, operate, type Reached } from './operator.ts'
import { age, facts, table } from './table.ts'
import { reportTally, theOne } from './wishes.ts'

interface ListFlags extends OperatorFlags {
  readonly state?: string
  readonly limit?: string
}

/** `sluice compensations list`: whose writes are to be undone, why, and what to do about it. */
export function listCompensations({ state, limit, ...flags }: ListFlags): Promise<number> {
  const wish = { state: toName(state, 'state', COMPENSATION_STATES), limit: toLimit(limit) }
  return operate(compensationsOf, flags, async ({ operations, ...reached }) => {
    const list = await operations.list(wish)
    const sagas = list.sagas.map((saga) => asPromised(saga, reached.isLive))
    console.log(
      flags.json ? JSON.stringify({ ...list, sagas }, null, 2) : describeList(list, reached, systemClock.now()),
    )
    return 0
  })
}

type From = Omit<Reached<never>, 'operations'>

function describeList({ counts, sagas }: CompensationList, { from, isLive }: From, nowMs: number): string {
  const summary = `${COMPENSATION_STATES.map((state) => `${counts[state]} ${state}`).join(', ')}   (${from})`
  if (sagas.length === 0) return `${summary}\nNothing of that waits.`
  const rows = sagas.map((saga) => [
    saga.state,
    age(saga.parkedAtMs ?? saga.undoingSinceMs ?? saga.beganAtMs, nowMs),
    saga.id,
    saga.route ?? '-',
    saga.writes.map(({ part, stage, isStuck }) => `${part}:${isStuck ? 'stuck' : stage}`).join(' '),
    [saga.reason, progressOf(saga, nowMs), isLive && saga.nextAtMs && `next attempt ${nextAttempt(saga, nowMs)}`]
      .filter(Boolean)
      .join('; '),
  ])
  const head = ['STATE', 'AGE', 'ID', 'ROUTE', 'WRITES', 'REASON']
  const shown = new Set<string>(sagas.map(({ state }) => state))
  const advice = COMPENSATION_STATES.filter((state) => shown.has(state)).map((state) => ADVICE[state](isLive))
  const all = COMPENSATION_STATES.reduce((sum, state) => sum + counts[state], 0)
  const more = sagas.length < all ? [`${sagas.length} of ${all} are shown: --state and --limit show others`] : []
  return [summary, '', table(head, rows), '', ...more, ...advice].join('\n')
}

const ADVICE: Readonly<Record<CompensationState, (isLive: boolean) => string>> = {
  parked: () =>
    `parked   waits for you: "compensations show ID" says what still stands; once the reason is mended, "compensations retry ID"
         or "compensations retry --all" undoes it, and "compensations discard ID" leaves it as it is`,
  undoing: (isLive) =>
    isLive
      ? `undoing  is tried again by the gateway; "compensations retry ID" or "compensations retry --all" has it tried at once`
      : 'undoing  is tried again when a gateway runs; "compensations retry ID" or "compensations retry --all" has that one try at once',
  open: () => 'open     the request is still running',
}

/** What holds it up. */
function progressOf({ next, attempts = 0, lastFailure, nextAtMs = 0 }: CompensationItem, nowMs: number): string {
  if (!next) return ''
  if (attempts === 0) {
    return nextAtMs > nowMs ? `${next.part} waits for upstream "${next.upstream}", which failed another request` : ''
  }
  const times = `${attempts} ${attempts === 1 ? 'attempt' : 'attempts'}`
  const reason = lastFailure ? `: ${lastFailure.reason}` : ''
  return `${next.part} is ${next.kind === 'compensate' ? 'not undone' : 'still unknown'} after ${times}${reason}`
}

/** `sluice compensations show ID`: everything about one request but what the client sent. */
export function showCompensation(id: string | undefined, flags: OperatorFlags): Promise<number> {
  const wanted = theOne(id, 'compensations show')
  return operate(compensationsOf, flags, async ({ operations, ...reached }) => {
    const saga = await operations.show(wanted)
    const { isLive } = reached
    console.log(
      flags.json ? JSON.stringify(asPromised(saga, isLive), null, 2) : describe(saga, reached, systemClock.now()),
    )
    return 0
  })
}

function describe(saga: CompensationItem, { isLive }: From, nowMs: number): string {
  const at = (ms: number | undefined) =>
    ms === undefined ? undefined : `${new Date(ms).toISOString()} (${age(ms, nowMs)} ago)`
  return facts([
    ['id', saga.id],
    ['state', saga.state],
    ['reason', saga.reason],
    ['route', saga.route],
    ['request', saga.method && `${saga.method} ${saga.path}`],
    ['caller', saga.caller],
    ['idempotency key', saga.idempotencyKey],
    ['request id', saga.requestId],
    ['trace', saga.traceparent],
    ['began', at(saga.beganAtMs)],
    ['undoing since', at(saga.undoingSinceMs)],
    ['parked', at(saga.parkedAtMs)],
    ['so far', progressOf(saga, nowMs) || undefined],
    ['last attempt', at(saga.lastFailure?.atMs)],
    ['next attempt', saga.next && (isLive ? nextAttempt(saga, nowMs) : 'when a gateway runs')],
    ...saga.writes.map((write): [string, string] => [write.part, describeWrite(write)]),
  ])
}

function describeWrite({ stage, isStuck, upstream, request, key, reason, undoneBy }: CompensationWrite): string {
  const undone = stage === 'undone' || stage === 'not-done' || stage === 'kept'
  return [
    isStuck ? `${stage}, and cannot be undone` : stage,
    reason,
    `${request} at upstream "${upstream}"`,
    key && `key ${key}`,
    undone ? undefined : undoneBy === undefined ? 'has no compensation' : `undone by ${undoneBy}`,
  ]
    .filter((text) => text !== undefined)
    .join('; ')
}

/** `sluice compensations retry ID | --all`. */
export function retryCompensations(
  id: string | undefined,
  { all, ...flags }: OperatorFlags & { readonly all?: boolean },
): Promise<number> {
  const wanted = all && id === undefined ? undefined : theOne(all ? undefined : id, 'compensations retry', '--all')
  return operate(compensationsOf, flags, async ({ operations, isLive }) => {
    if (wanted === undefined) {
      const tally = await operations.retryAll()
      const { done, broughtForward } = tally
      const code = reportTally(tally, flags, `put back, ${broughtForward} brought forward`)
      if (!flags.json && done + broughtForward > 0) console.log(`All of that is undoing: ${triedBy(isLive)}`)
      return code
    }
    const saga = await operations.retry(wanted)
    const afterwards = saga.state === 'undoing' ? triedBy(isLive) : AFTERWARDS[saga.state]
    console.log(
      flags.json ? JSON.stringify(asPromised(saga, isLive), null, 2) : `${saga.id} is ${saga.state}: ${afterwards}`,
    )
    return 0
  })
}

const AFTERWARDS = {
  undone: 'nothing of it is left',
  parked: 'it could not be undone: "compensations show ID" says why',
  open: 'its request is running',
} as const

/** `sluice compensations discard ID`. */
export function discardCompensation(id: string | undefined, flags: OperatorFlags): Promise<number> {
  const wanted = theOne(id, 'compensations discard')
  return operate(compensationsOf, flags, async ({ operations }) => {
    await operations.discard(wanted)
    const gone = { id: wanted, state: 'discarded' }
    console.log(flags.json ? JSON.stringify(gone) : `${wanted} is gone: what of it still stands stays as it is`)
    return 0
  })
}
