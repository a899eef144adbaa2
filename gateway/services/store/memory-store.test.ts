import { describe, expect, test } from 'bun:test'
import { testStore } from '../../../tests/support/store-conformance.ts'
import { createVirtualClock } from '../../../tests/support/virtual-clock.ts'
import { StoreUnavailable } from '../../core/store.ts'
import { createMemoryStore } from './memory-store.ts'

testStore('memory', async () => {
  const clock = createVirtualClock()
  return { store: createMemoryStore({ clock }), advance: (ms) => clock.advance(ms) }
})

describe('the memory store', () => {
  test('refuses a new key when it holds as many as it may, and goes on serving the others', async () => {
    const store = createMemoryStore({ clock: createVirtualClock(), maximumEntries: 2 })
    await store.set('a', '1', 60_000)
    await store.set('b', '1', 60_000)
    await expect(store.putIfAbsent('c', '1', 60_000)).rejects.toBeInstanceOf(StoreUnavailable)
    await store.set('a', '2', 60_000)
    expect(await store.replace('b', '1', '2', 60_000)).toBe(true)
    expect(await store.get('a')).toBe('2')
    expect(await store.get('c')).toBeUndefined()
  })

  test('refuses a value that would exceed its bytes, and keeps what stood there', async () => {
    const store = createMemoryStore({ clock: createVirtualClock(), maximumBytes: 10_000 })
    await store.set('a', 'v'.repeat(2_000), 60_000)
    await store.set('b', 'v'.repeat(2_000), 60_000)
    await expect(store.replace('b', 'v'.repeat(2_000), 'v'.repeat(4_000), 60_000)).rejects.toBeInstanceOf(
      StoreUnavailable,
    )
    expect(await store.get('b')).toHaveLength(2_000)
  })

  test('takes the bytes of a replaced value into account only once', async () => {
    const store = createMemoryStore({ clock: createVirtualClock(), maximumBytes: 10_000 })
    for (let i = 0; i < 100; i++) await store.set('a', `${i}`.padEnd(4_000), 60_000)
    expect((await store.get('a'))?.trim()).toBe('99')
  })

  test('makes room by dropping what has expired', async () => {
    const clock = createVirtualClock()
    const store = createMemoryStore({ clock, maximumEntries: 100 })
    for (let i = 0; i < 99; i++) await store.set(`short ${i}`, '1', 1_000)
    await store.set('long', '1', 3_600_000)
    await clock.advance(1_000)
    for (let i = 0; i < 99; i++) await store.set(`next ${i}`, '1', 60_000)
    expect(await store.get('long')).toBe('1')
    expect(await store.get('next 98')).toBe('1')
  })
})
