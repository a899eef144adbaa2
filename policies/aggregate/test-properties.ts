import { expect } from 'bun:test'
import fc from 'fast-check'
import { type Expected, type Given, type Worked, work } from './test-model.ts'
import { answerOf } from './test-model-answer.ts'
import { predecessorsOf } from './test-model-kept.ts'
import { type Call, type Played, play } from './test-play.ts'
import { nameOf, type Scenario, UNBOUNDED } from './test-scenario.ts'

/** What must be true of every scenario; each plays it on the gateway and works it out beside. */

/** Composed bytes, status, fields and the moment of the answer are those that the rules give. */
export async function answersAsRuled(scenario: Scenario): Promise<void> {
  for (const { seen, worked } of await compare(scenario)) {
    const expected = answerOf(scenario, worked.settled, worked.cut)
    const { status, composition, complete } = seen
    expect({ composition, complete }).toEqual({ composition: expected.composition, complete: expected.complete })
    if (expected.blamed.size === 0) expect({ status, text: seen.text }).toEqual({ status: 200, text: expected.text })
    else {
      const { detail, parts } = JSON.parse(seen.text) as { readonly detail: string; readonly parts: unknown }
      expect(JSON.stringify(parts)).toBe(expected.text)
      const named = /^The part "(p\d)" failed: /.exec(detail)?.[1] ?? detail
      expect({ named, status }).toEqual({ named, status: expected.blamed.get(named) ?? 0 })
    }
    expect(seen.cacheControl).toBe(complete === '?1' && status === 200 ? expected.cacheControl : 'no-store')
    expect(seen.answeredMs).toBe(expected.atMs)
  }
}

/** Every call is made once, the moment its inputs are there, and asks for what they say; no other call is made. */
export async function callsWhatIsNeeded(scenario: Scenario): Promise<void> {
  for (const { seen, worked } of await compare(scenario)) {
    const { calls, cut } = worked
    const described = (call: Expected | Call) => `${call.startMs} ${nameOf(call.part)} ${call.asks}`
    const isDue = ({ startMs, overMs }: Expected) => startMs < cut.atMs && startMs < overMs
    // A part that begins at the moment at which another decides may have begun just before.
    const mayBe = calls
      .filter(({ startMs }) => startMs === cut.atMs && cut.failure.error === 'cancelled')
      .map(described)
    const made = seen.calls.map(described).filter((call) => !mayBe.includes(call))
    expect(made.sort()).toEqual(calls.filter(isDue).map(described).sort())
    for (const { startMs, asks, part } of seen.calls) {
      const ready = calls.filter((call) => call.part === part && call.asks === asks).map(({ readyMs }) => readyMs)
      expect(startMs).toBeGreaterThanOrEqual(Math.min(...ready))
    }
  }
}

/** As many calls run at once as may, never more, and the more urgent one first; those of one list in its order. */
export async function takesTurns(scenario: Scenario): Promise<void> {
  const { concurrency, parts } = scenario
  const urgency = urgencyOf(scenario)
  for (const { seen, worked } of await compare(scenario)) {
    const spans = seen.calls.flatMap((call) => {
      const expected = worked.calls.find(({ part, asks, startMs }) => isSame(call, { part, asks, startMs }))
      return expected ? [{ part: call.part, startMs: call.startMs, endMs: expected.overMs }] : []
    })
    const runningAt = (atMs: number, isCounted = (_: number) => true) =>
      spans.filter(({ part, startMs, endMs }) => isCounted(part) && startMs <= atMs && atMs < endMs).length
    for (const number of parts.keys()) {
      const starts = worked.calls.filter(({ part }) => part === number).map(({ startMs }) => startMs)
      expect(starts).toEqual(starts.toSorted((a, b) => Number(a > b) - Number(a < b)))
    }
    for (const { startMs, part } of spans) {
      expect(runningAt(startMs)).toBeLessThanOrEqual(concurrency)
      const atOnce = parts[part]?.each?.atOnce ?? concurrency
      expect(runningAt(startMs, (other) => other === part)).toBeLessThanOrEqual(atOnce)
    }
    const waits = worked.calls.filter(
      ({ part, readyMs, startMs, overMs }) => readyMs < Math.min(startMs, overMs) && !parts[part]?.each?.atOnce,
    )
    for (const { part, readyMs, startMs, overMs } of waits) {
      const goneMs = Math.min(startMs, overMs, worked.cut.atMs)
      const moments = [readyMs, ...spans.flatMap((span) => [span.startMs, span.endMs])]
      for (const moment of moments.filter((atMs) => readyMs <= atMs && atMs < goneMs)) {
        expect(runningAt(moment)).toBe(concurrency)
      }
      const overtaking = spans.filter((other) => readyMs <= other.startMs && other.startMs < goneMs)
      for (const other of overtaking) expect(urgency.indexOf(other.part)).toBeLessThanOrEqual(urgency.indexOf(part))
    }
  }
}

/** A call that nobody waits for any more is cancelled at that moment, and nothing happens after the answer. */
export async function leavesNothingBehind(scenario: Scenario): Promise<void> {
  for (const { seen, worked } of await compare(scenario)) {
    for (const call of seen.calls) {
      const expected = worked.calls.find(({ part, asks, startMs }) => isSame(call, { part, asks, startMs }))
      const overMs = expected?.overMs ?? Number.NaN
      if (call.dueMs > overMs) expect(call.abortedMs).toBe(overMs)
      else expect(call.abortedMs ?? call.dueMs).toBeGreaterThanOrEqual(call.dueMs)
    }
    expect(endOf(seen)).toEqual({ later: 0, open: [] })
  }
}

/** When the client leaves, every call is cancelled at that moment, and none is made after it. */
export async function stopsForNobody(scenario: Scenario, leaveMs: number): Promise<void> {
  const stayed = (await play(scenario)).at(-1)
  const left = (await play(scenario, leaveMs)).at(-1)
  if (!stayed || !left) throw new Error('Nothing was played')
  fc.pre(
    stayed.answeredMs !== leaveMs &&
      stayed.calls.every(({ startMs, dueMs }) => startMs !== leaveMs && dueMs !== leaveMs),
  )
  if (stayed.answeredMs < leaveMs) {
    expect(left).toEqual(stayed)
    return
  }
  expect({ status: left.status, composition: left.composition }).toEqual({ status: 499, composition: null })
  const before = stayed.calls.filter(({ startMs }) => startMs < leaveMs)
  expect(left.calls.map(({ asks }) => asks)).toEqual(before.map(({ asks }) => asks))
  for (const [i, call] of left.calls.entries()) {
    const abortedMs = before[i]?.abortedMs ?? Number.POSITIVE_INFINITY
    if (Math.min(call.dueMs, abortedMs) > leaveMs) expect(call.abortedMs).toBe(leaveMs)
  }
  expect(endOf(left)).toEqual({ later: 0, open: [] })
}

const endOf = ({ later, calls }: Played) => ({ later, open: calls.filter(({ isOpen }) => isOpen) })

const isSame = (call: Call, other: Pick<Expected, 'part' | 'asks' | 'startMs'>) =>
  call.part === other.part && call.asks === other.asks && call.startMs === other.startMs

/** Plays a scenario, and works out beside it what each of its requests must come to. */
async function compare(
  scenario: Scenario,
): Promise<{ readonly seen: Played; readonly worked: ReturnType<typeof work> }[]> {
  let memory: Given['memory'] = new Map()
  const isFree = scenario.concurrency === UNBOUNDED && scenario.parts.every(({ each }) => !each?.atOnce)
  const rounds = (await play(scenario)).map((seen, round) => {
    const turn = isFree ? undefined : turnsIn(seen.calls)
    const worked = work({ scenario, round, sentAtMs: seen.sentAtMs, memory, turn })
    memory = new Map([...memory, ...remembered(worked, seen.sentAtMs)])
    return { seen, worked }
  })
  // Of two things at the same moment either may come first: then the rules say less than what is seen.
  fc.pre(rounds.every(({ worked }) => worked.isClear))
  return rounds
}

function turnsIn(calls: readonly Call[]): Given['turn'] {
  return (part, asks, nth) =>
    calls.filter((call) => call.part === part && call.asks === asks)[nth]?.startMs ?? Number.POSITIVE_INFINITY
}

function remembered({ kept }: Worked, sentAtMs: number) {
  return kept.map(({ key, shown, atMs }) => [key, { shown, keptAtMs: sentAtMs + atMs }] as const)
}

/** Numbers of the parts: what a required part needs, then what the longest chain waits for, then the order of the file. */
function urgencyOf({ parts, fileOrder }: Scenario): number[] {
  const readersOf = (number: number) => parts.flatMap((part, reader) => (waitsFor(part, number) ? [reader] : []))
  const isNeeded = (number: number): boolean => Boolean(parts[number]?.required) || readersOf(number).some(isNeeded)
  const chain = (number: number): number => Math.max(0, ...readersOf(number).map((reader) => 1 + chain(reader)))
  return [...fileOrder].sort((a, b) => Number(isNeeded(b)) - Number(isNeeded(a)) || chain(b) - chain(a))
}

function waitsFor(part: Scenario['parts'][number], number: number): boolean {
  return predecessorsOf(part).includes(number) || (typeof part.when === 'object' && part.when.from === number)
}
