import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { type Store, StoreUnavailable } from '../../gateway/core/store.ts'

export interface StoreUnderTest {
  readonly store: Store
  advance(ms: number): Promise<void>
  close?(): Promise<void>
}

const MINUTE_MS = 60_000
/** Short, because a real store has to be waited for. */
const SHORT_MS = 40

/** Values a store must give back as they are, though they look like something else. */
const VALUES = [
  '',
  'plain',
  '0',
  '42',
  'null',
  'true',
  'OK',
  '{"a":[1,2]}',
  '"quoted"',
  'ä€𝄞',
  'line\r\nbreak\0',
  'aGVsbG8=',
]

/** What every implementation of `Store` does. */
export function testStore(name: string, create: () => Promise<StoreUnderTest>): void {
  describe(`the store of ${name}`, () => {
    let subject: StoreUnderTest
    let store: Store

    beforeEach(async () => {
      subject = await create()
      store = subject.store
    })

    afterEach(async () => {
      await subject.close?.()
    })

    test('has nothing under a key nobody wrote', async () => {
      expect(await store.get('key')).toBeUndefined()
    })

    test('gives back every value as it was written', async () => {
      for (const [i, value] of VALUES.entries()) {
        await store.set(`key:${i}`, value, MINUTE_MS)
        expect(await store.get(`key:${i}`)).toBe(value)
        expect(await store.putIfAbsent(`key:${i}`, 'other', { ttlMs: MINUTE_MS })).toBe(value)
      }
    })

    test('overwrites, and the new time to live counts', async () => {
      await store.set('key', 'old', SHORT_MS)
      await store.set('key', 'new', MINUTE_MS)
      await subject.advance(SHORT_MS + 1)
      expect(await store.get('key')).toBe('new')
    })

    test('forgets a value when its time is over', async () => {
      await store.set('key', 'value', SHORT_MS)
      await subject.advance(SHORT_MS + 1)
      expect(await store.get('key')).toBeUndefined()
      expect(await store.replace('key', 'value', 'other', MINUTE_MS)).toBe(false)
      expect(await store.remove('key', 'value')).toBe(false)
      expect(await store.putIfAbsent('key', 'next', { ttlMs: MINUTE_MS })).toBeUndefined()
      expect(await store.get('key')).toBe('next')
    })

    test('gives a free key to one of many who ask at once, and shows the others what stands there', async () => {
      const answers = await Promise.all(
        Array.from({ length: 50 }, (_, i) => store.putIfAbsent('key', `owner ${i}`, { ttlMs: MINUTE_MS })),
      )
      const present = await store.get('key')
      expect(answers.filter((answer) => answer === undefined)).toHaveLength(1)
      expect(answers.filter((answer) => answer === present)).toHaveLength(49)
    })

    test('gives a lease that is over to one of many, and fences its owner off', async () => {
      await store.putIfAbsent('key', 'first owner', { ttlMs: SHORT_MS })
      await subject.advance(SHORT_MS + 1)
      const answers = await Promise.all(
        Array.from({ length: 20 }, (_, i) => store.putIfAbsent('key', `owner ${i}`, { ttlMs: MINUTE_MS })),
      )
      const next = await store.get('key')
      expect(answers.filter((answer) => answer === undefined)).toHaveLength(1)
      expect(await store.replace('key', 'first owner', 'too late', MINUTE_MS)).toBe(false)
      expect(await store.remove('key', 'first owner')).toBe(false)
      expect(await store.get('key')).toBe(next)
    })

    test('takes writes on an account as it takes all others', async () => {
      const term = { ttlMs: MINUTE_MS, account: 'caller' }
      expect(await store.putIfAbsent('key', 'lease', term)).toBeUndefined()
      expect(await store.putIfAbsent('key', 'other', term)).toBe('lease')
      expect(await store.replace('key', 'lease', 'outcome', MINUTE_MS)).toBe(true)
      expect(await store.remove('key', 'outcome')).toBe(true)
      expect(await store.putIfAbsent('key', 'again', term)).toBeUndefined()
    })

    test('does not touch a taken key with putIfAbsent, nor its time to live', async () => {
      await store.putIfAbsent('key', 'first', { ttlMs: SHORT_MS })
      await store.putIfAbsent('key', 'second', { ttlMs: MINUTE_MS })
      await subject.advance(SHORT_MS + 1)
      expect(await store.get('key')).toBeUndefined()
    })

    test('replaces only what is expected', async () => {
      await store.set('key', 'mine', MINUTE_MS)
      expect(await store.replace('key', 'theirs', 'new', MINUTE_MS)).toBe(false)
      expect(await store.get('key')).toBe('mine')
      expect(await store.replace('key', 'mine', 'new', MINUTE_MS)).toBe(true)
      expect(await store.get('key')).toBe('new')
      expect(await store.replace('missing', 'mine', 'new', MINUTE_MS)).toBe(false)
    })

    test('lets one of many replace the same value', async () => {
      await store.set('key', 'lease', MINUTE_MS)
      const answers = await Promise.all(
        Array.from({ length: 20 }, (_, i) => store.replace('key', 'lease', `owner ${i}`, MINUTE_MS)),
      )
      expect(answers.filter(Boolean)).toHaveLength(1)
    })

    test('counts the time to live from the replacement', async () => {
      await store.set('key', 'old', SHORT_MS)
      await store.replace('key', 'old', 'new', MINUTE_MS)
      await subject.advance(SHORT_MS + 1)
      expect(await store.get('key')).toBe('new')
    })

    test('removes only what is expected', async () => {
      await store.set('key', 'mine', MINUTE_MS)
      expect(await store.remove('key', 'theirs')).toBe(false)
      expect(await store.get('key')).toBe('mine')
      expect(await store.remove('key', 'mine')).toBe(true)
      expect(await store.get('key')).toBeUndefined()
      expect(await store.remove('key', 'mine')).toBe(false)
    })

    test('keeps keys apart however they look', async () => {
      const keys = ['a', 'A', 'a:b', 'a b', '*', '', '__proto__', 'constructor', 'ä', 'k'.repeat(1_000)]
      for (const key of keys) await store.set(key, `of ${key}`, MINUTE_MS)
      for (const key of keys) expect(await store.get(key)).toBe(`of ${key}`)
    })

    test('holds a value of a hundred kilobytes', async () => {
      const value = 'v'.repeat(100_000)
      await store.set('key', value, MINUTE_MS)
      expect(await store.get('key')).toBe(value)
    })
  })
}

/** What every implementation does that is bounded by itself. `create` opens one that holds what it is told. */
export function testBoundedStore(
  name: string,
  create: (room: { readonly entries: number; readonly bytes: number }) => Promise<StoreUnderTest>,
): void {
  describe(`the bounds of the store of ${name}`, () => {
    let subject: StoreUnderTest | undefined

    const open = async (room: { entries?: number; bytes?: number }) => {
      subject = await create({ entries: 1_000_000, bytes: 1_000_000_000, ...room })
      return subject.store
    }
    const put = (store: Store, key: string, account?: string) =>
      store.putIfAbsent(key, 'v', { ttlMs: MINUTE_MS, account })
    /** How many keys of an account the store takes before it refuses one; at most `limit`. */
    const fill = async (store: Store, account: string, limit: number) => {
      for (let i = 0; i < limit; i++) {
        const error = await put(store, `${account} ${i}`, account).catch((reason: unknown) => reason)
        if (error === undefined) continue
        expect(error).toBeInstanceOf(StoreUnavailable)
        return i
      }
      return limit
    }

    afterEach(async () => {
      await subject?.close?.()
      subject = undefined
    })

    test('refuses a new key when it holds as many as it may, and goes on serving the others', async () => {
      const store = await open({ entries: 2 })
      await store.set('a', '1', MINUTE_MS)
      await store.set('b', '1', MINUTE_MS)
      await expect(put(store, 'c')).rejects.toBeInstanceOf(StoreUnavailable)
      await store.set('a', '2', MINUTE_MS)
      expect(await store.replace('b', '1', '2', MINUTE_MS)).toBe(true)
      expect(await store.get('a')).toBe('2')
      expect(await store.get('c')).toBeUndefined()
    })

    test('refuses a value that would exceed its bytes, and keeps what stood there', async () => {
      const store = await open({ bytes: 10_000 })
      await store.set('a', 'v'.repeat(2_000), MINUTE_MS)
      await store.set('b', 'v'.repeat(2_000), MINUTE_MS)
      const grown = store.replace('b', 'v'.repeat(2_000), 'v'.repeat(8_000), MINUTE_MS)
      await expect(grown).rejects.toBeInstanceOf(StoreUnavailable)
      expect(await store.get('b')).toHaveLength(2_000)
    })

    test('takes the bytes of a replaced value into account only once', async () => {
      const store = await open({ bytes: 10_000 })
      for (let i = 0; i < 100; i++) await store.set('a', `${i}`.padEnd(4_000), MINUTE_MS)
      expect((await store.get('a'))?.trim()).toBe('99')
    })

    test('makes room by dropping what has expired', async () => {
      const store = await open({ entries: 100 })
      for (let i = 0; i < 99; i++) await store.set(`short ${i}`, '1', SHORT_MS)
      await store.set('long', '1', MINUTE_MS)
      await subject?.advance(SHORT_MS + 1)
      for (let i = 0; i < 99; i++) await store.set(`next ${i}`, '1', MINUTE_MS)
      expect(await store.get('long')).toBe('1')
      expect(await store.get('next 98')).toBe('1')
    })

    test('lets no account hold more than it leaves free, so that others find room', async () => {
      const store = await open({ entries: 100 })
      expect(await fill(store, 'greedy', 100)).toBe(50)
      expect(await fill(store, 'also greedy', 100)).toBe(25)
      for (let i = 0; i < 12; i++) expect(await put(store, `modest ${i}`, 'modest')).toBeUndefined()
      expect(await put(store, 'nobody pays')).toBeUndefined()
    })

    test('counts what an account holds in bytes too', async () => {
      const store = await open({ bytes: 100_000 })
      const put = (key: string, account: string) =>
        store.putIfAbsent(key, 'v'.repeat(6_000), { ttlMs: MINUTE_MS, account })
      const taken = await Promise.allSettled(Array.from({ length: 20 }, (_, i) => put(`greedy ${i}`, 'greedy')))
      const held = taken.filter(({ status }) => status === 'fulfilled').length
      expect(held).toBeGreaterThan(1)
      expect(held).toBeLessThan(10)
      expect(await put('modest', 'modest')).toBeUndefined()
    })

    test('writes an outcome in the place of a lease, however much its account holds', async () => {
      const store = await open({ entries: 10 })
      expect(await fill(store, 'greedy', 10)).toBe(5)
      for (let i = 0; i < 5; i++) await put(store, `other ${i}`)
      expect(await store.replace('greedy 0', 'v', 'w', MINUTE_MS)).toBe(true)
      expect(await store.get('greedy 0')).toBe('w')
    })

    test('gives an account its room back when its values are removed, overwritten or expire', async () => {
      const store = await open({ entries: 10 })
      expect(await fill(store, 'caller', 10)).toBe(5)
      await expect(put(store, 'one more', 'caller')).rejects.toBeInstanceOf(StoreUnavailable)
      await store.remove('caller 0', 'v')
      expect(await put(store, 'one more', 'caller')).toBeUndefined()
      await store.set('caller 1', 'of nobody', MINUTE_MS)
      await expect(put(store, 'yet one more', 'caller')).rejects.toBeInstanceOf(StoreUnavailable)
      await subject?.advance(MINUTE_MS + 1)
      expect(await fill(store, 'caller', 10)).toBe(5)
    })
  })
}
