import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import type { Store } from '../../gateway/core/store.ts'

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
        expect(await store.putIfAbsent(`key:${i}`, 'other', MINUTE_MS)).toBe(value)
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
      expect(await store.putIfAbsent('key', 'next', MINUTE_MS)).toBeUndefined()
      expect(await store.get('key')).toBe('next')
    })

    test('gives a free key to one of many who ask at once, and shows the others what stands there', async () => {
      const answers = await Promise.all(
        Array.from({ length: 50 }, (_, i) => store.putIfAbsent('key', `owner ${i}`, MINUTE_MS)),
      )
      const present = await store.get('key')
      expect(answers.filter((answer) => answer === undefined)).toHaveLength(1)
      expect(answers.filter((answer) => answer === present)).toHaveLength(49)
    })

    test('does not touch a taken key with putIfAbsent, nor its time to live', async () => {
      await store.putIfAbsent('key', 'first', SHORT_MS)
      await store.putIfAbsent('key', 'second', MINUTE_MS)
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
