import { describe, expect, test } from 'bun:test'
import { seededRandom } from '../../tests/support/seeded-random.ts'
import { openUndoer, toUndo, writeTo } from '../../tests/support/undoer-scene.ts'

const ANNOUNCED = 'A write is still to be undone'
const NOTHING = { open: 0, undoing: 0, parked: 0 }
const refused = () => new Response(null, { status: 409 })
const done = (status = 204) => new Response(null, { status })

describe('an undoer', () => {
  test('tries once more shortly before the time is over, and at its end, and then no more', async () => {
    const { clock, asked, left } = await openUndoer([[writeTo('a')]], refused)
    await clock.advance(120_000)
    expect(asked).toEqual([0, 1, 3, 7, 15, 31, 58, 60].map((second) => `${second} DELETE a`))
    expect(await left()).toEqual({ ...NOTHING, parked: 1 })
  })

  test.each([
    { name: 'is away', answer: () => new Response(null, { status: 500 }) },
    {
      name: 'is away for a time it names',
      answer: () => new Response(null, { status: 503, headers: { 'retry-after': '7' } }),
    },
    {
      name: 'is away for longer than it may be tried',
      answer: () => new Response(null, { status: 503, headers: { 'retry-after': '200' } }),
    },
    { name: 'is there', answer: refused },
  ])('tries again when it has announced to, where an upstream that fails $name', async ({ answer }) => {
    const { clock, asked, lines } = await openUndoer([[writeTo('a')]], answer, seededRandom(7))
    await clock.advance(70_000)
    const announced = lines.flatMap(({ message, facts }) => (message === ANNOUNCED ? [facts.retryInMs as number] : []))
    const came = asked.map((each) => Number.parseFloat(each) * 1_000)
    expect(announced.length).toBeGreaterThan(0)
    expect(came.slice(1).map((ms, i) => Math.round(ms - (came[i] ?? 0)))).toEqual(announced)
  })

  test('does not let one write wait for the failures of another', async () => {
    const failures: Readonly<Record<string, number>> = { a: 1, b: 3 }
    const { clock, asked, left } = await openUndoer([[writeTo('a'), writeTo('b')]], (upstream, _, nth) =>
      nth <= (failures[upstream] ?? 0) ? refused() : done(),
    )
    await clock.advance(10_000)
    expect(asked).toEqual(['0 DELETE b', '1 DELETE b', '3 DELETE b', '7 DELETE b', '7 DELETE a', '8 DELETE a'])
    expect(await left()).toEqual(NOTHING)
  })

  test('undoes the writes of sixteen requests at once, and the others after them', async () => {
    const waiting: ((response: Response) => void)[] = []
    const sagas = Array.from({ length: 20 }, (_, i) => [writeTo(`s${i}`)])
    const { clock, asked, left } = await openUndoer(sagas, () => new Promise((resolve) => waiting.push(resolve)))
    await clock.advance(5_000)
    expect(asked).toHaveLength(16)
    for (const answer of waiting) answer(done())
    await clock.advance(0)
    expect(asked).toHaveLength(20)
    for (const answer of waiting) answer(done())
    await clock.advance(0)
    expect(await left()).toEqual(NOTHING)
  })

  test('ends the signal of an attempt that is over, as its own lives on and would keep all that still listens', async () => {
    const signals: AbortSignal[] = []
    const { clock, undoer } = await openUndoer([[writeTo('a')]], (_upstream, { signal }, nth) => {
      signals.push(signal)
      return nth === 1 ? refused() : new Promise(() => {})
    })
    await clock.advance(1_000)
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, false])
    await undoer.stop()
  })

  test('gives up an attempt after half a minute, even one that nothing else ends', async () => {
    const { clock, asked, left } = await openUndoer([[writeTo('a')]], (_upstream, _request, nth) =>
      nth === 1 ? new Promise<Response>(() => {}) : done(),
    )
    await clock.advance(29_999)
    expect(asked).toHaveLength(1)
    expect(await left()).toEqual({ ...NOTHING, undoing: 1 })
    await clock.advance(5_000)
    expect(asked).toHaveLength(2)
    expect(await left()).toEqual(NOTHING)
  })

  test('takes no conflict about the key for the word that a write was not done, however late', async () => {
    const inUse = () => new Response('this Idempotency-Key is in use', { status: 409 })
    const { clock, asked, left } = await openUndoer([[writeTo('a', { stage: 'unknown' })]], (_, { method }, nth) => {
      if (method === 'DELETE') return done()
      return nth < 7 ? inUse() : done(201)
    })
    await clock.advance(59_000)
    expect(asked.slice(-3)).toEqual(['31 POST a', '58 POST a', '58 DELETE a'])
    expect(await left()).toEqual(NOTHING)
  })

  test('tries for as long again when an operator has put it back', async () => {
    const { clock, operations, asked, left } = await openUndoer([[writeTo('a')]], refused)
    await clock.advance(100_000)
    await operations.retry('0')
    await clock.advance(58_000)
    expect(asked.slice(8)).toEqual([100, 101, 103, 107, 115, 131, 158].map((second) => `${second} DELETE a`))
    expect(await left()).toEqual({ ...NOTHING, undoing: 1 })
    await clock.advance(2_000)
    expect(await left()).toEqual({ ...NOTHING, parked: 1 })
  })

  test('leaves an upstream alone for as long as that says, but tries at the end of the time in any case', async () => {
    const away = () => new Response(null, { status: 503, headers: { 'retry-after': '300' } })
    const { clock, asked, left } = await openUndoer([[writeTo('a')]], away)
    await clock.advance(120_000)
    expect(asked).toEqual(['0 DELETE a', '60 DELETE a'])
    expect(await left()).toEqual({ ...NOTHING, parked: 1 })
  })

  test('counts no attempt where it leaves an upstream alone', async () => {
    const away = () => new Response(null, { status: 503, headers: { 'retry-after': '5' } })
    const { clock, storage, asked, left } = await openUndoer([[writeTo('a')]], (_upstream, _request, nth) =>
      nth === 1 ? away() : done(),
    )
    await storage.add(toUndo('tried', [writeTo('a')], 3))
    await clock.advance(4_000)
    expect(await storage.find('tried')).toMatchObject({ attempts: 3, nextAtMs: 5_000 })
    await clock.advance(2_000)
    expect(asked).toEqual(['0 DELETE a', '5 DELETE a', '5 DELETE a'])
    expect(await left()).toEqual(NOTHING)
  })
})
