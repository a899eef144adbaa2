import {
  COMPENSATION_STATES,
  type CompensationItem,
  type CompensationList,
  type CompensationWrite,
} from '../../../core/operations.ts'
import { systemClock } from '../system-clock.ts'
import { toLimit, toName } from './arguments.ts'
import { compensationsOf, type OperatorFlags, operate } from './operator.ts'
import { age, facts, span, table } from './table.ts'
import { reportTally, theOne } from './wishes.ts'

interface ListFlags extends OperatorFlags {
  readonly state?: string
  readonly limit?: string
}

/** `sluice compensations list`: whose writes are to be undone, why, and what to do about it. */
export function listCompensations({ state, limit, ...flags }: ListFlags): Promise<number> {
  const wish = { state: toName(state, 'state', COMPENSATION_STATES), limit: toLimit(limit) }
  return operate(compensationsOf, flags, async ({ operations, from }) => {
    const list = await operations.list(wish)
    console.log(flags.json ? JSON.stringify(list, null, 2) : describeList(list, from, systemClock.now()))
    return 0
  })
}

function describeList({ counts, sagas }: CompensationList, from: string, nowMs: number): string {
  const summary = `${COMPENSATION_STATES.map((state) => `${counts[state]} ${state}`).join(', ')}   (${from})`
  if (sagas.length === 0) return `${summary}\nNothing of that waits.`
  const rows = sagas.map((saga) => [
    saga.state,
    age(saga.parkedAtMs ?? saga.undoingSinceMs ?? saga.beganAtMs, nowMs),
    saga.id,
    saga.route ?? '-',
    saga.writes.map(({ part, stage, isStuck }) => `${part}:${isStuck ? 'stuck' : stage}`).join(' '),
    [saga.reason, nextOf(saga, nowMs)].filter(Boolean).join('; '),
  ])
  const head = ['STATE', 'AGE', 'ID', 'ROUTE', 'WRITES', 'REASON']
  const shown = new Set<string>(sagas.map(({ state }) => state))
  const advice = COMPENSATION_STATES.filter((state) => shown.has(state)).map((state) => ADVICE[state])
  const all = COMPENSATION_STATES.reduce((sum, state) => sum + counts[state], 0)
  const more = sagas.length < all ? [`${sagas.length} of ${all} are shown: --state and --limit show others`] : []
  return [summary, '', table(head, rows), '', ...more, ...advice].join('\n')
}

const ADVICE = {
  parked: `parked   waits for you: "compensations show ID" says what still stands; once the reason is mended, "compensations retry ID"
         or "compensations retry --all" undoes it, and "compensations discard ID" leaves it as it is`,
  undoing: `undoing  is tried again by the gateway, as soon as one runs; "compensations retry ID" has it tried at once`,
  open: 'open     the request is still running',
} as const

function nextOf({ nextAtMs }: CompensationItem, nowMs: number): string {
  return nextAtMs === undefined || nextAtMs <= nowMs ? '' : `next attempt in ${span(nextAtMs - nowMs)}`
}

/** `sluice compensations show ID`: everything about one request but what the client sent. */
export function showCompensation(id: string | undefined, flags: OperatorFlags): Promise<number> {
  const wanted = theOne(id, 'compensations show')
  return operate(compensationsOf, flags, async ({ operations }) => {
    const saga = await operations.show(wanted)
    console.log(flags.json ? JSON.stringify(saga, null, 2) : describe(saga, systemClock.now()))
    return 0
  })
}

function describe(saga: CompensationItem, nowMs: number): string {
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
    ['attempts', saga.attempts ? `${saga.attempts}, ${nextOf(saga, nowMs) || 'next is due'}` : undefined],
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
  return operate(compensationsOf, flags, async ({ operations }) => {
    if (wanted === undefined) return reportTally(await operations.retryAll(), flags, 'put back')
    const saga = await operations.retry(wanted)
    console.log(flags.json ? JSON.stringify(saga, null, 2) : `${saga.id} is ${saga.state}: ${AFTERWARDS[saga.state]}`)
    return 0
  })
}

const AFTERWARDS = {
  undoing: 'the gateway tries again to undo it',
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
