import { describe, expect, test } from 'bun:test'
import { queryValues, withoutQueryKey } from './query-key.ts'

describe('taking a key out of the query', () => {
  const cases = [
    { name: 'removes it alone', search: '?key=a', rest: '' },
    { name: 'removes it from the front', search: '?key=a&x=1', rest: '?x=1' },
    { name: 'removes it from the middle', search: '?x=1&key=a&y=2', rest: '?x=1&y=2' },
    { name: 'removes every one of several', search: '?key=a&x=1&key=b', rest: '?x=1' },
    { name: 'removes it in another spelling', search: '?%6Bey=a&k%65y=b&x=1', rest: '?x=1' },
    { name: 'removes it without a value', search: '?key&x=1', rest: '?x=1' },
    { name: 'leaves the other bytes as they are', search: '?a=%2f%zz+b&key=1&&c', rest: '?a=%2f%zz+b&&c' },
    { name: 'leaves names that only begin alike', search: '?keys=1&mykey=2', rest: '?keys=1&mykey=2' },
    { name: 'leaves no query as it is', search: '', rest: '' },
  ]
  test.each(cases)('$name', ({ search, rest }) => {
    expect(withoutQueryKey(search, 'key')).toBe(rest)
    expect(queryValues(rest, 'key')).toEqual([])
  })
})
