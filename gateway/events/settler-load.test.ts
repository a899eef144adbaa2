import { afterEach, describe, expect, test } from 'bun:test'
import { createSettlerBench } from '../../tests/support/settler-bench.ts'
import { sleep } from '../core/clock.ts'
import { GatewayError } from '../core/errors.ts'
import { OutboxStateError } from './outbox.ts'

let bench: ReturnType<typeof createSettlerBench>
afterEach(() => bench?.settler.stop())

/** An upstream that answers when told to, and counts how many it is asked at once. */
function createSlowUpstream() {
  const waiting: (() => void)[] = []
  let most = 0
  return {
    answer: () =>
      new Promise<Response>((resolve) => {
        waiting.push(() => resolve(Response.json({ id: 'o' })))
        most = Math.max(most, waiting.length)
      }),
    get most() {
      return most
    },
    release(): void {
      for (const go of waiting.splice(0)) go()
    },
  }
}

describe('the settler, with many entries', () => {
  test('asks one upstream four things at once, and each entry once', async () => {
    const slow = createSlowUpstream()
    bench = createSettlerBench(slow.answer)
    for (let i = 0; i < 30; i++) await bench.leaveUnknown(`n${i}`)
    for (let i = 0; i < 12; i++) {
      await bench.clock.advance(1_000)
      slow.release()
    }
    await bench.clock.advance(1_000)
    expect(slow.most).toBe(4)
    expect((await bench.outbox.counts()).committed).toBe(30)
    expect(bench.asked).toHaveLength(30)
  })

  test('settles more than one batch without waiting in between', async () => {
    bench = createSettlerBench(() => Response.json({ id: 'o' }))
    for (let i = 0; i < 250; i++) await bench.leaveUnknown(`n${i}`)
    await bench.clock.advance(1_000)
    expect((await bench.outbox.counts()).committed).toBe(250)
  })

  test('lets an upstream that is down alone, and goes on with the others', async () => {
    bench = createSettlerBench((_, upstream) => {
      if (upstream === 'down') throw new GatewayError('upstream-unreachable')
      return Response.json({ id: 'o' })
    })
    for (let i = 0; i < 50; i++) await bench.leaveUnknown(`d${i}`, { upstream: 'down' })
    for (let i = 0; i < 50; i++) await bench.leaveUnknown(`u${i}`, { upstream: 'up' })
    await bench.clock.advance(1_000)
    expect((await bench.outbox.counts()).committed).toBe(50)
    expect(bench.asked.filter(({ upstream }) => upstream === 'down').length).toBeLessThanOrEqual(4)
    await bench.clock.advance(640_000)
    const asked = bench.asked.filter(({ upstream }) => upstream === 'down').length
    expect(asked).toBeLessThan(200)
    expect(await bench.outbox.counts()).toMatchObject({ unknown: 0, parked: 50 })
  })

  test('lets a slow upstream with many entries keep no other from its few', async () => {
    const slow = createSlowUpstream()
    bench = createSettlerBench((_, upstream) => (upstream === 'slow' ? slow.answer() : Response.json({ id: 'o' })))
    for (let i = 0; i < 500; i++) await bench.leaveUnknown(`s${i}`, { upstream: 'slow' })
    for (let i = 0; i < 3; i++) await bench.leaveUnknown(`q${i}`, { upstream: 'quick' })
    for (let i = 0; i < 10; i++) {
      await bench.clock.advance(2_000)
      slow.release()
    }
    await bench.clock.advance(2_000)
    expect(bench.asked.filter(({ upstream }) => upstream === 'quick')).toHaveLength(3)
    // And it goes on with the slow one, whose turns come again, until it has settled them all.
    for (let i = 0; i < 170; i++) {
      await bench.clock.advance(2_000)
      slow.release()
    }
    expect(slow.most).toBe(4)
    expect(await bench.outbox.counts()).toMatchObject({ unknown: 0, committed: 503 })
  })

  test('obeys Retry-After for all that goes there', async () => {
    let isOpen = true
    bench = createSettlerBench(() => {
      if (isOpen) throw new GatewayError('circuit-open', { headers: { 'retry-after': '20' } })
      return Response.json({ id: 'o' })
    })
    await bench.leaveUnknown('a')
    await bench.clock.advance(1_000)
    isOpen = false
    await bench.leaveUnknown('b')
    await bench.clock.advance(19_000)
    expect(bench.asked).toHaveLength(1)
    await bench.clock.advance(3_000)
    expect((await bench.outbox.counts()).committed).toBe(2)
  })
})

describe('the settler, with others about', () => {
  test('does nothing while another process is in charge, and begins when this one is', async () => {
    bench = createSettlerBench(() => Response.json({ id: 'o' }))
    bench.charge(false)
    await bench.leaveUnknown('a')
    await bench.clock.advance(10_000)
    expect(bench.asked).toEqual([])
    bench.charge(true)
    await bench.clock.advance(1_000)
    expect(await bench.stateOf('a')).toMatchObject({ state: 'committed' })
  })

  test('leaves an entry alone that an operator discarded meanwhile', async () => {
    const slow = createSlowUpstream()
    bench = createSettlerBench(slow.answer)
    await bench.leaveUnknown('a')
    await bench.clock.advance(1_000)
    await bench.outbox.discard('a')
    slow.release()
    await bench.clock.advance(1_000)
    expect(await bench.stateOf('a')).toEqual({ state: 'gone' })
    expect(bench.telemetry.lines.filter(({ level }) => level === 'error')).toEqual([])
  })

  test('asks again later when the outbox could not take note of the answer', async () => {
    bench = createSettlerBench(() => Response.json({ id: 'o' }))
    const { commit } = bench.outbox
    bench.outbox.commit = async () => {
      throw new Error('disk full')
    }
    await bench.leaveUnknown('a')
    await bench.clock.advance(2_000)
    expect(await bench.stateOf('a')).toMatchObject({ state: 'unknown' })
    bench.outbox.commit = commit
    await bench.clock.advance(1_000)
    expect(await bench.stateOf('a')).toMatchObject({ state: 'committed' })
    expect(
      bench.telemetry.lines.filter(({ message }) => message === 'Cannot settle an unknown outcome now'),
    ).toHaveLength(2)
  })

  test('asks no more of many than are under way while the outbox takes no note of the answers', async () => {
    bench = createSettlerBench(async () => {
      await sleep(bench.clock, 50)
      return Response.json({ id: 'o' })
    })
    bench.outbox.commit = async () => {
      throw new Error('disk full')
    }
    for (let i = 0; i < 80; i++) await bench.leaveUnknown(`n${i}`)
    await bench.clock.advance(1_900)
    expect(bench.asked).toHaveLength(4)
  })

  test('stops without an answer, and writes nothing any more', async () => {
    let aborted: unknown
    bench = createSettlerBench(
      ({ signal }) =>
        new Promise((_, reject) => {
          signal.addEventListener('abort', () => {
            aborted = signal.reason
            reject(aborted)
          })
        }),
    )
    await bench.leaveUnknown('a')
    await bench.clock.advance(1_000)
    await bench.settler.stop()
    expect(String(aborted)).toContain('the gateway stops')
    await bench.clock.advance(60_000)
    expect(bench.asked).toHaveLength(1)
    expect(await bench.stateOf('a')).toMatchObject({ state: 'unknown', attempts: 0, reason: 'upstream-timeout' })
    await expect(bench.outbox.commit('b', {} as never)).rejects.toBeInstanceOf(OutboxStateError)
  })
})
