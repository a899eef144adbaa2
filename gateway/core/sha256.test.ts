import { expect, test } from 'bun:test'
import { sha256 } from './sha256.ts'

test('digests text as UTF-8, and bytes as they are (FIPS 180-4, example 1)', async () => {
  const abc = 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'
  expect([await sha256('abc'), await sha256(Uint8Array.of(0x61, 0x62, 0x63))]).toEqual([abc, abc])
  expect(await sha256('é')).toBe(await sha256(Uint8Array.of(0xc3, 0xa9)))
})
