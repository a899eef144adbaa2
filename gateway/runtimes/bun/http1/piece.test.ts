import { describe, expect, test } from 'bun:test'
import { piece } from './piece.ts'

const BYTES = Buffer.from(Uint8Array.from({ length: 3_000 }, (_, i) => i % 251))

describe('a piece of what has come', () => {
  test.each([
    { start: 0, end: 1, isCopy: true },
    { start: 7, end: 7, isCopy: true },
    { start: 5, end: 1_005, isCopy: true },
    { start: 5, end: 1_006, isCopy: false },
    { start: 1, end: 3_000, isCopy: false },
  ])('from $start to $end has those bytes; of its own: $isCopy', ({ start, end, isCopy }) => {
    const found = piece(BYTES, start, end)
    expect([...found]).toEqual([...BYTES].slice(start, end))
    expect(found.buffer !== BYTES.buffer).toBe(isCopy)
  })

  test('is everything itself when that is asked for', () => {
    expect(piece(BYTES, 0, BYTES.length)).toBe(BYTES)
  })
})
