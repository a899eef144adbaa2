import { describe, expect, test } from 'bun:test'
import { type ClientKey, digestOf, findKey, toDigest } from './client-keys.ts'

const HASH_OF_ABC = 'sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'

describe('finding the key of a digest', () => {
  test('reads the hash that sha256sum prints', async () => {
    expect(toDigest(HASH_OF_ABC)).toEqual(await digestOf('abc'))
  })

  test('finds each of several keys', async () => {
    const keys = await Promise.all(
      ['one', 'two', 'three'].map(async (key) => ({ client: key, digest: await digestOf(key), expiresAt: 0 })),
    )
    for (const key of keys) expect(findKey(keys, key.digest)).toBe(key)
  })

  test('finds nothing for a digest that differs in one bit, wherever', async () => {
    const digest = await digestOf('one')
    const keys: ClientKey[] = [{ client: 'one', digest, expiresAt: 0 }]
    for (let bit = 0; bit < 256; bit++) {
      const other = digest.map((byte, i) => (i === bit >> 3 ? byte ^ (1 << (bit & 7)) : byte))
      expect(findKey(keys, other)).toBeUndefined()
    }
  })

  test('finds nothing for a digest that is shorter, longer or empty', async () => {
    const digest = await digestOf('one')
    const keys: ClientKey[] = [{ client: 'one', digest, expiresAt: 0 }]
    const others = [digest.slice(0, 31), new Uint8Array([...digest, 0]), new Uint8Array()]
    expect(others.map((other) => findKey(keys, other))).toEqual([undefined, undefined, undefined])
  })

  test('reads every stored byte whether or not the key is known and wherever it stands', async () => {
    const digests = await Promise.all(['one', 'two', 'three'].map(digestOf))
    const reads = async (key: string) => {
      let count = 0
      const keys = digests.map((digest) => ({
        client: 'any',
        expiresAt: 0,
        digest: new Proxy(digest, {
          get: (target, name) => {
            if (name === 'length') return target.length
            if (name === 'entries') {
              return function* entries() {
                for (const entry of target.entries()) {
                  count++
                  yield entry
                }
              }
            }
            return Reflect.get(target, name)
          },
        }),
      }))
      findKey(keys, await digestOf(key))
      return count
    }
    expect([await reads('one'), await reads('three'), await reads('unknown')]).toEqual([96, 96, 96])
  })
})
