import { describe, expect, test } from 'bun:test'
import { Stop, stopBy } from './stop.ts'

describe('a stop', () => {
  test('has a signal that aborts with its reason, whenever it is asked for', () => {
    const reason = new Error('late')
    const [early, late] = [new Stop(), new Stop()]
    const { signal } = early
    for (const stop of [early, late]) stop.abort(reason)
    for (const each of [signal, early.signal, late.signal]) expect(each.reason).toBe(reason)
    expect(early.signal).toBe(signal)
  })

  test('is given up once, and what was made within it with it, before anybody is told', () => {
    const told: (readonly [who: string, inner: unknown])[] = []
    const outer = new Stop()
    const inner = outer.within()
    outer.listen({ stopped: () => told.push(['outer', inner.reason]) })
    inner.listen({ stopped: () => told.push(['inner', inner.reason]) })
    const first = new Error('first')
    outer.abort(first)
    outer.abort(new Error('second'))
    expect(told).toEqual([
      ['outer', first],
      ['inner', first],
    ])
    expect(outer.within().reason).toBe(first)
  })

  test('leaves those alone that it was made within, that it was told to forget, or that listen no more', () => {
    const told: string[] = []
    const outer = new Stop()
    const [inner, forgotten] = [outer.within(), outer.within()]
    const gone = { stopped: () => told.push('gone') }
    outer.listen(gone)
    outer.unlisten(gone)
    outer.forget(forgotten)
    const own = new Error('its own')
    inner.abort(own)
    expect(outer.reason).toBeUndefined()
    outer.abort(new Error('all'))
    expect([inner.reason, forgotten.reason]).toEqual([own, undefined])
    expect(told).toEqual([])
  })
})

describe('what a signal ends', () => {
  test('is given up with its reason, and tells everybody who listens then', () => {
    const controller = new AbortController()
    const stop = stopBy(controller.signal)
    const told: string[] = []
    const [first, second, gone] = ['first', 'second', 'gone'].map((name) => ({
      stopped: (reason: unknown) => told.push(`${name}: ${reason}`),
    }))
    if (!first || !second || !gone) throw new TypeError('three listeners')
    stop.listen(gone)
    stop.unlisten(gone)
    stop.listen(first)
    stop.listen(second)
    expect([stop.reason, stop.signal]).toEqual([undefined, controller.signal])
    controller.abort('late')
    expect(told).toEqual(['first: late', 'second: late'])
    expect(stop.reason).toBe('late')
    expect(stopBy(AbortSignal.abort('before')).reason).toBe('before')
  })

  test('keeps nobody who is done on a signal that lives on', () => {
    const { signal } = new AbortController()
    let heard = 0
    signal.addEventListener = () => heard++
    signal.removeEventListener = () => heard--
    const stop = stopBy(signal)
    const listeners = [{ stopped() {} }, { stopped() {} }]
    for (const listener of listeners) stop.listen(listener)
    expect(heard).toBe(1)
    for (const listener of listeners) stop.unlisten(listener)
    for (const listener of listeners) stop.unlisten(listener)
    expect(heard).toBe(0)
  })
})

describe('a listener that throws', () => {
  const kinds = [
    { name: 'a stop', open: () => new Stop() },
    {
      name: 'what a signal ends',
      open: () => {
        const controller = new AbortController()
        return Object.assign(stopBy(controller.signal), { abort: controller.abort.bind(controller) })
      },
    },
  ]

  test.each(kinds)('to $name keeps nobody else from being told, and is not passed over', ({ open }) => {
    const later: (() => void)[] = []
    const { queueMicrotask } = globalThis
    globalThis.queueMicrotask = (task) => later.push(task)
    try {
      const stop = open()
      const told: unknown[] = []
      stop.listen({
        stopped() {
          throw new Error('a mistake')
        },
      })
      stop.listen({ stopped: (reason) => told.push(reason) })
      stop.abort('late')
      expect(told).toEqual(['late'])
    } finally {
      globalThis.queueMicrotask = queueMicrotask
    }
    expect(later).toHaveLength(1)
    expect(later[0]).toThrow('a mistake')
  })
})
