import { describe, expect, test } from 'bun:test'
import { Stop } from './stop.ts'

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
    const told: (readonly [who: string, inner: string | undefined])[] = []
    const outer = new Stop()
    const inner = outer.within()
    outer.listen({ stopped: () => told.push(['outer', inner.reason?.message]) })
    inner.listen({ stopped: () => told.push(['inner', inner.reason?.message]) })
    outer.abort(new Error('first'))
    outer.abort(new Error('second'))
    expect(told).toEqual([
      ['outer', 'first'],
      ['inner', 'first'],
    ])
    expect(outer.within().reason?.message).toBe('first')
  })

  test('leaves those alone that it was made within, that it was told to forget, or that listen no more', () => {
    const told: string[] = []
    const outer = new Stop()
    const [inner, forgotten] = [outer.within(), outer.within()]
    const gone = { stopped: () => told.push('gone') }
    outer.listen(gone)
    outer.unlisten(gone)
    outer.forget(forgotten)
    inner.abort(new Error('its own'))
    expect(outer.reason).toBeUndefined()
    outer.abort(new Error('all'))
    expect([inner.reason?.message, forgotten.reason]).toEqual(['its own', undefined])
    expect(told).toEqual([])
  })
})
