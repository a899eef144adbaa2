import { describe, expect, test } from 'bun:test'
import { createKeeper } from './keeper.ts'

describe('a keeper', () => {
  test('gives the same thing to everybody who asks by the same name', () => {
    const keep = createKeeper()
    const first = keep('keys of a', () => ({ made: 1 }))
    expect(keep('keys of a', () => ({ made: 2 }))).toBe(first)
    expect(keep('keys of b', () => ({ made: 3 }))).toEqual({ made: 3 })
    expect(createKeeper()('keys of a', () => ({ made: 4 }))).toEqual({ made: 4 })
  })

  test('lets go of what nobody used for longest when there is too much', () => {
    const keep = createKeeper()
    for (let i = 0; i <= 1_000; i++) keep(`name ${i}`, () => ({ i }))
    expect(keep('name 1000', () => ({ i: -1 }))).toEqual({ i: 1_000 })
    expect(keep('name 0', () => ({ i: -1 }))).toEqual({ i: -1 })
  })
})
