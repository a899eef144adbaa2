import { afterEach, describe, expect, test } from 'bun:test'
import { seededRandom } from '../../tests/support/seeded-random.ts'
import { type Answering, createSettlerBench } from '../../tests/support/settler-bench.ts'
import { GatewayError } from '../core/errors.ts'
import type { OwnRequest } from '../core/own-request.ts'

let bench: ReturnType<typeof createSettlerBench>
afterEach(() => bench?.settler.stop())

const ANNOUNCED = 'An outcome is still unknown'
const GRAIN_MS = 100

const refused = (): Response => {
  throw new GatewayError('upstream-unreachable')
}
const hangs = () => new Promise<Response>(() => {})
const busy = (seconds: number) => () => new Response(null, { status: 503, headers: { 'retry-after': String(seconds) } })

/** What was announced of an entry in the log, in order. */
function announced(id: string): number[] {
  return bench.telemetry.lines.flatMap(({ message, facts }) =>
    message === ANNOUNCED && facts.event === id ? [Number(facts.retryInMs)] : [],
  )
}

/** When each attempt was made, and when the list had said that it would be; in milliseconds from the start. */
interface Attempt {
  readonly id: string
  readonly atMs: number
  readonly listedMs: number | undefined
}

/** A bench that notes at each attempt what an operator was told of it by then. */
function openBench(answer: Answering) {
  const attempts: Attempt[] = []
  bench = createSettlerBench(
    async (request, upstream) => {
      const id = idOf(request)
      const atMs = bench.clock.now() - startMs
      const { nextAtMs } = { nextAtMs: undefined, ...(await bench.stateOf(id)) }
      attempts.push({ id, atMs, listedMs: nextAtMs === undefined ? undefined : nextAtMs - startMs })
      return answer(request, upstream)
    },
    undefined,
    seededRandom(7),
  )
  const startMs = bench.clock.now()
  return attempts
}

function idOf({ headers }: OwnRequest): string {
  const [, key = ''] = headers.find(([name]) => name === 'idempotency-key') ?? []
  return key.replace('key-', '')
}

const lateness = ({ atMs, listedMs = Number.NaN }: Attempt): number => atMs - listedMs

describe('the next attempt to settle', () => {
  test.each([
    { name: 'is not there', answer: refused },
    { name: 'asks for time', answer: busy(7) },
    { name: 'answers 503', answer: () => new Response(null, { status: 503 }) },
    { name: 'says nothing for half a minute', answer: hangs },
    { name: 'answers what says nothing', answer: () => new Response(null, { status: 409 }) },
  ])('comes when the log and the list have said, of an upstream that $name', async ({ answer }) => {
    const attempts = openBench(answer)
    await bench.leaveUnknown('a')
    await bench.clock.advance(590_000)
    const pauses = announced('a')
    const takesMs = answer === hangs ? 30_000 : 0
    const came = attempts.map(({ atMs }) => atMs)
    expect(pauses.length).toBeGreaterThan(8)
    expect(came.slice(1).map((atMs, i) => atMs - takesMs - (came[i] ?? 0))).toEqual(pauses.slice(0, came.length - 1))
    expect(attempts.slice(1).map(lateness)).toEqual(came.slice(1).map(() => 0))
  })

  test('comes when the list says, where two wait for one upstream and the failure of one moves the other', async () => {
    const attempts = openBench(refused)
    await bench.leaveUnknown('a')
    await bench.leaveUnknown('b')
    await bench.clock.advance(590_000)
    for (const id of ['a', 'b']) {
      const own = attempts.filter((attempt) => attempt.id === id)
      expect(own.length).toBeGreaterThan(8)
      for (const attempt of own.slice(1)) {
        expect(lateness(attempt)).toBeGreaterThanOrEqual(0)
        expect(lateness(attempt)).toBeLessThanOrEqual(GRAIN_MS)
      }
      // What the log has said is never early, and is what happens unless the other one failed in between.
      const kept = own.slice(1).map(({ atMs }, i) => atMs - (own[i]?.atMs ?? 0) - (announced(id)[i] ?? 0))
      expect(Math.min(...kept)).toBeGreaterThanOrEqual(0)
      expect(kept.filter((lateMs) => lateMs <= GRAIN_MS).length).toBeGreaterThan(kept.length / 3)
    }
  })

  test('comes when announced while another upstream hangs with more than is ever asked at once', async () => {
    const attempts = openBench((_, upstream) => (upstream === 'slow' ? hangs() : new Response(null, { status: 409 })))
    for (let i = 0; i < 300; i++) await bench.leaveUnknown(`s${i}`, { upstream: 'slow' })
    await bench.leaveUnknown('a', { upstream: 'quick' })
    await bench.clock.advance(200_000)
    const own = attempts.filter(({ id }) => id === 'a')
    expect(own.length).toBeGreaterThan(6)
    expect(
      own
        .slice(1)
        .map(lateness)
        .every((lateMs) => lateMs >= 0 && lateMs <= GRAIN_MS),
    ).toBe(true)
  })

  test('is not put off for those whose turn has not come: they are due, and stay so', async () => {
    openBench(hangs)
    for (let i = 0; i < 100; i++) await bench.leaveUnknown(`n${String(i).padStart(2, '0')}`)
    await bench.clock.advance(20_000)
    const left = await bench.outbox.list('unknown', 100)
    expect(left.map(({ nextAtMs }) => nextAtMs)).toEqual(Array.from({ length: 100 }, () => undefined))
  })

  test('is not announced when its upstream is to be left alone until it would be too late', async () => {
    openBench(busy(300))
    await bench.leaveUnknown('a', { withinMs: 240_000 })
    await bench.clock.advance(1_000)
    await bench.leaveUnknown('b', { withinMs: 240_000 })
    await bench.clock.advance(1_000)
    expect(await bench.stateOf('a')).toMatchObject({
      state: 'parked',
      reason: 'the upstream is left alone until settle-within (240 s) is over, asked 1 times: status 503',
    })
    expect(await bench.stateOf('b')).toMatchObject({
      state: 'parked',
      reason: 'the upstream is left alone until settle-within (240 s) is over: upstream-timeout',
    })
    expect(announced('a')).toEqual([])
  })

  test('of a probe that was never made comes after the pause of its upstream, however late that is', async () => {
    const attempts = openBench((request) => (idOf(request) === 'a' ? busy(300)() : new Response(null, { status: 404 })))
    await bench.leaveUnknown('a')
    await bench.clock.advance(1_000)
    await bench.leaveUnknown('b', { withinMs: 60_000, mode: 'probe' })
    await bench.clock.advance(610_000)
    expect(attempts.filter(({ id }) => id === 'b')).toHaveLength(1)
    expect(await bench.stateOf('b')).toEqual({ state: 'gone' })
  })

  test('comes at once when an operator wishes, also where the upstream is left alone', async () => {
    let isBack = false
    openBench(() => (isBack ? Response.json({ id: 'o-1' }) : busy(200)()))
    await bench.leaveUnknown('a')
    await bench.clock.advance(1_000)
    isBack = true
    await bench.outbox.postpone('a', { attempts: 1, nextAtMs: bench.clock.now(), reason: 'status 503' })
    bench.settler.tryNow()
    await bench.clock.advance(0)
    expect(await bench.stateOf('a')).toMatchObject({ state: 'committed' })
  })
})
