import { describe, expect, test } from 'bun:test'
import { claimAsHeader } from './claim-headers.ts'

describe('sending a claim as a header', () => {
  const cases = [
    { name: 'sends text', value: 'alice', header: 'alice' },
    { name: 'sends text with spaces inside', value: 'Alice B', header: 'Alice B' },
    { name: 'sends a number', value: 7, header: '7' },
    { name: 'sends a boolean', value: false, header: 'false' },
    { name: 'joins a list', value: ['buyer', 'admin', 3], header: 'buyer,admin,3' },
    { name: 'leaves out a list whose member holds a comma', value: ['buyer,admin'], header: undefined },
    { name: 'leaves out a list of objects', value: [{}], header: undefined },
    { name: 'leaves out an empty list', value: [], header: undefined },
    { name: 'leaves out a list with an empty member', value: ['a', ''], header: undefined },
    { name: 'leaves out an object', value: { a: 1 }, header: undefined },
    { name: 'leaves out null', value: null, header: undefined },
    { name: 'leaves out an empty text', value: '', header: undefined },
    { name: 'leaves out a text that would be trimmed into another', value: 'alice ', header: undefined },
    { name: 'leaves out a line break', value: 'alice\r\nx-admin: 1', header: undefined },
    { name: 'leaves out NUL', value: 'alice\0', header: undefined },
    { name: 'leaves out text outside ASCII', value: 'Łukasz', header: undefined },
  ]

  test.each(cases)('$name', ({ value, header }) => {
    expect(claimAsHeader({ claim: value }, 'claim')).toBe(header)
  })
})
