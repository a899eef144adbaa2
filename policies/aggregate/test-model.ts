import {
  areTooMuch,
  type Cut,
  entryFor,
  type Failure,
  hasFailed,
  inOrder,
  memberOf,
  type Result,
  replyOf,
  requestOf,
  type Shown,
  type Wanted,
  wordEach,
} from './test-model-call.ts'
import { inputsOf, keptBy, predecessorsOf } from './test-model-kept.ts'
import {
  CACHE_MS,
  FALLBACKS,
  ITEM_FALLBACK,
  MOST_ITEMS,
  type PartSpec,
  type Scenario,
  STALE_MS,
  THE_WORD,
} from './test-scenario.ts'

/**
 * What becomes of every part, worked out one after the other from the rules of the README: nothing here waits, calls
 * back or is cancelled. Times are numbers, in milliseconds since the request.
 */

/** What became of a part, and when. */
export interface Settled {
  readonly kind: 'ok' | 'partial' | 'fallback' | 'skipped' | 'failed'
  readonly atMs: number
  readonly shown?: Shown | undefined
  readonly failure?: Failure | undefined
  readonly missed?: number
}

/** A call that is made when its turn comes. */
export interface Expected {
  readonly part: number
  readonly asks: string
  /** When all it needs was there. */
  readonly readyMs: number
  /** When it begins; infinity when its turn never comes. */
  readonly startMs: number
  /** When nobody waits for it any more. */
  readonly overMs: number
}

export interface Given {
  readonly scenario: Scenario
  /** Which request of the scenario this is, and the time of day when it was sent. */
  readonly round: number
  readonly sentAtMs: number
  /** Replies kept by earlier requests, by what they are kept by, with the time of day. */
  readonly memory: ReadonlyMap<string, { readonly shown: Shown; readonly keptAtMs: number }>
  /** When a call began that had to wait for its turn. Undefined where no call has to wait. */
  readonly turn: ((part: number, asks: string, nth: number) => number) | undefined
}

export interface Worked {
  /** By number. */
  readonly settled: readonly Settled[]
  readonly calls: readonly Expected[]
  /** False when several things happen by themselves at the moment of the cut: what came first cannot be told. */
  readonly isClear: boolean
  /** Replies to keep. */
  readonly kept: readonly { readonly key: string; readonly shown: Shown; readonly atMs: number }[]
}

const TIMEOUT: Failure = { error: 'timeout', answer: 504 }
const INPUT: Failure = { error: 'input', answer: 502 }

/** Works out a request: first what ends it, then what has come of every part by then. */
export function work(given: Given): Worked & { readonly cut: Cut } {
  const { parts, totalMs, waitMs } = given.scenario
  const timeIsUp = { atMs: totalMs, failure: TIMEOUT }
  const required = settleAll(given, timeIsUp).settled.filter((_, number) => parts[number]?.required)
  const ends = required.map(({ atMs }) => atMs)
  const failures = required.filter(({ kind }) => kind === 'failed').map(({ atMs }) => atMs)
  const cuts: Cut[] = [
    timeIsUp,
    { atMs: Math.min(...failures), failure: { error: 'cancelled', answer: 0 } },
    { atMs: Math.max(0, ...ends) + (waitMs ?? Number.POSITIVE_INFINITY), failure: { error: 'late', answer: 504 } },
  ]
  const cut = cuts.reduce((first, other) => (other.atMs < first.atMs ? other : first))
  return { cut, ...settleAll(given, cut) }
}

function settleAll({ scenario, round, sentAtMs, memory, turn }: Given, cut: Cut): Worked {
  const settled: Settled[] = []
  const calls: Expected[] = []
  const kept: Worked['kept'][number][] = []
  /** Parts with a call that ends at the cut, and whether what comes of a part as it begins at the cut can be told. */
  const atTheCut = new Set<number>()
  const atOnce: boolean[] = []
  const word = scenario.visits[round]?.word ?? THE_WORD
  const keyOf = (part: number, asks: string) => keptBy(scenario, { part, asks, round })
  for (const [number, part] of scenario.parts.entries()) settled.push(settle(part, number))
  const isOneEvent = atTheCut.size <= (cut.failure.error === 'cancelled' ? 1 : 0)
  const deciding = settled.filter(({ atMs, failure }, i) => {
    return scenario.parts[i]?.required && failure && failure.error !== 'cancelled' && atMs === cut.atMs
  })
  const isTold = atOnce.length === 0 || (atOnce.length === 1 && atOnce[0] === true && deciding.length === 1)
  return { settled, calls, kept, isClear: isOneEvent && isTold }

  function read(from: number): Shown | undefined {
    return settled[from]?.shown
  }

  function settle(part: PartSpec, number: number): Settled {
    const { when, each } = part
    const gate = typeof when === 'object' ? settled[when.from] : undefined
    const gateMs = gate?.atMs ?? 0
    const isExcluded =
      typeof when === 'object'
        ? (memberOf(gate?.shown, 'v') != null) !== when.hasValue
        : when === 'never' || (when === 'worded' && word !== THE_WORD)
    if (isExcluded) return { kind: 'skipped', atMs: gateMs }
    const inputs = inputsOf(part).flatMap((from) => settled[from] ?? [])
    const all = predecessorsOf(part).flatMap((from) => settled[from] ?? [])
    const failed = all.filter(({ kind }) => kind === 'failed')
    if (failed.length > 0) {
      const atMs = Math.max(gateMs, Math.min(...failed.map((input) => input.atMs)))
      const known = failed.filter((input) => input.atMs <= atMs)
      // What was given up, was given up because of something that had failed before; what fails at the same moment may
      // have failed after it. Of two that fail at this moment either may be the reason.
      const own = known.filter(({ failure }) => failure?.error !== 'cancelled')
      const isMixed = own.length < known.length && own.length > 0 && own.every((input) => input.atMs === cut.atMs)
      const answers = new Set(own.map(({ failure }) => failure?.answer))
      if (isMixed || (answers.size > 1 && own.some((input) => input.atMs === atMs))) atOnce.push(false)
      const { error, answer } = (own[0] ?? known[0])?.failure ?? INPUT
      return without(part, { error: error === 'cancelled' ? error : 'input', answer }, atMs)
    }
    const readyMs = Math.max(gateMs, ...all.map(({ atMs }) => atMs))
    if (inputs.some(({ kind }) => kind === 'skipped')) return { kind: 'skipped', atMs: readyMs }
    const asked = each ? askEach(part, number, readyMs) : askOnce(part, number, readyMs)
    if (readyMs < cut.atMs || cut.failure.error !== 'cancelled') return asked
    // Begun at the moment at which a required part fails: it is that part, or came after it.
    const isAtOnce = asked.failure?.error !== 'cancelled'
    if (isAtOnce) atOnce.push(part.required && asked.kind === 'failed')
    return isAtOnce && part.required ? asked : without(part, cut.failure, readyMs)
  }

  function askOnce(part: PartSpec, number: number, readyMs: number): Settled {
    const asks = requestOf(part, { read, word })
    if (asks === undefined) return without(part, INPUT, readyMs)
    const all = makeCalls(part, number, readyMs, [{ key: 0, asks, positions: [] }])
    const [{ endMs, result, stale } = never()] = all
    finish(number, readyMs, endMs, all)
    return hasFailed(result) ? without(part, result, endMs, stale) : { kind: 'ok', atMs: endMs, shown: result }
  }

  function askEach(part: PartSpec, number: number, readyMs: number): Settled {
    const { from = 0, batch, fallback: hasStandIn = false } = part.each ?? {}
    const items = memberOf(settled[from]?.shown, 'items')
    if (!Array.isArray(items)) return without(part, INPUT, readyMs)
    if (items.length > MOST_ITEMS) return without(part, { error: 'too-many', answer: 502 }, readyMs)

    const requests = wordEach(part, items, { read, word })
    const isAsked = (i: number) => requests?.some(({ positions }) => positions.includes(i))
    const results: (Result | undefined)[] = items.map((_, i) => (isAsked(i) ? undefined : INPUT))
    if (!hasStandIn && results.some((result) => result && hasFailed(result))) return without(part, INPUT, readyMs)

    const standIn: Shown = { text: JSON.stringify(ITEM_FALLBACK) }
    const texts: (string | undefined)[] = results.map((result) => result && standIn.text)
    const made = makeCalls(part, number, readyMs, requests ?? [])
    for (const call of inOrder(made)) {
      for (const [i, item] of items.entries()) {
        if (!call.positions.includes(i)) continue
        const result = entryFor(call.result, batch, item)
        const stale = hasFailed(call.result) && call.stale ? entryFor(call.stale, batch, item) : undefined
        results[i] = result
        const old = stale && !hasFailed(stale) ? stale : undefined
        const shown = hasFailed(result) ? (old ?? (hasStandIn ? standIn : undefined)) : result
        const isOver = hasFailed(result) && (!shown || result.error === 'cancelled')
        texts[i] = shown?.text
        const isTooMuch = areTooMuch(texts, part)
        if (!isOver && !isTooMuch) continue
        finish(number, readyMs, call.endMs, made)
        return without(part, isOver && hasFailed(result) ? result : { error: 'too-large', answer: 502 }, call.endMs)
      }
    }
    const atMs = Math.max(readyMs, ...made.map(({ endMs }) => endMs))
    finish(number, readyMs, atMs, made)
    const shown = { text: `[${texts.join(',')}]` }
    const missed = results.flatMap((result) => (result && hasFailed(result) ? [result] : []))
    if (missed.length === 0) return { kind: 'ok', atMs, shown }
    const kind = missed.length === items.length ? 'fallback' : 'partial'
    return { kind, atMs, shown, failure: missed[0], missed: missed.length }
  }

  /** What comes of the calls of a part, each by itself. */
  function makeCalls(part: PartSpec, number: number, readyMs: number, wanted: readonly Wanted[]) {
    const old = (asks: string, atMs: number, maxAgeMs: number) => {
      const found = memory.get(keyOf(number, asks))
      const ageMs = sentAtMs + atMs - (found?.keptAtMs ?? 0)
      return found && ageMs < maxAgeMs ? { ...found.shown, ageMs } : undefined
    }
    const begun = wanted.map((want, i) => {
      const nth = wanted.slice(0, i).filter(({ asks }) => asks === want.asks).length
      const fresh = part.cached ? old(want.asks, readyMs, CACHE_MS) : undefined
      return { want, fresh, startMs: fresh ? readyMs : (turn?.(number, want.asks, nth) ?? readyMs) }
    })
    const firstMs = Math.min(...begun.filter(({ fresh }) => !fresh).map(({ startMs }) => startMs))
    const ownMs = firstMs + (part.timeoutMs ?? Number.POSITIVE_INFINITY)
    // The failure of a required part ends everything else, and itself by its own end.
    const isBefore = (atMs: number, end: Cut) =>
      atMs < end.atMs || (atMs === end.atMs && end.failure.error === 'cancelled')
    const limit: Cut = isBefore(ownMs, cut) ? { atMs: ownMs, failure: TIMEOUT } : cut
    return begun.map(({ want, fresh, startMs }) => {
      const reply = replyOf(part, number, want, part.fates[want.key]?.[round])
      const doneMs = startMs + reply.afterMs
      if ([doneMs, ownMs].includes(cut.atMs)) atTheCut.add(number)
      const isInTime = isBefore(doneMs, limit)
      const endMs = fresh ? readyMs : Math.max(readyMs, isInTime ? doneMs : limit.atMs)
      const result: Result = fresh ?? (isInTime ? reply.result : limit.failure)
      const stale = part.stale ? old(want.asks, endMs, STALE_MS) : undefined
      return { asks: want.asks, positions: want.positions, startMs, endMs, fresh, result, stale }
    })
  }

  /** Notes the calls of a part that is over, and what is remembered of them. */
  function finish(number: number, readyMs: number, overMs: number, made: ReturnType<typeof makeCalls>): void {
    for (const { asks, startMs, endMs, fresh, result } of made) {
      if (fresh) continue
      calls.push({ part: number, asks, readyMs, startMs, overMs: Math.min(overMs, endMs) })
      if (!hasFailed(result) && endMs <= overMs) kept.push({ key: keyOf(number, asks), shown: result, atMs: endMs })
    }
  }
}

/** An old reply stands in before the fallback; nothing does once nobody needs the part. */
function without({ fallback }: PartSpec, failure: Failure, atMs: number, stale?: Shown): Settled {
  const shown = stale ?? (fallback && { text: JSON.stringify(FALLBACKS[fallback]) })
  if (shown === undefined || failure.error === 'cancelled') return { kind: 'failed', atMs, failure }
  return { kind: 'fallback', atMs, shown, failure }
}

function never(): never {
  throw new Error('A call was forgotten')
}
