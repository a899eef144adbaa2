import { describe, expect, test } from 'bun:test'
import { parseItem } from 'structured-headers'
import { parseIdempotencyKey } from './idempotency-key.ts'

describe('an Idempotency-Key', () => {
  test.each([
    { name: 'a quoted string', field: '"8e03978e-40d5-43dd-bc93-6894a57f9324"' },
    { name: 'quotes and backslashes, escaped', field: '"a \\" b \\\\ c"' },
    { name: 'spaces, commas and semicolons in quotes', field: '"a, b; c"' },
    { name: 'the longest string', field: `"${'k'.repeat(255)}"` },
    { name: 'the longest string, all of it escaped', field: `"${'\\"'.repeat(255)}"` },
  ])('is read as RFC 9651 reads it: $name', ({ field }) => {
    expect(parseIdempotencyKey(field)).toBe(String(parseItem(field)[0]))
  })

  test.each([
    { name: 'a UUID', field: '8e03978e-40d5-43dd-bc93-6894a57f9324' },
    { name: 'base64', field: 'c2x1aWNl+/==' },
    { name: 'a name in parts', field: 'order:2026/01#7' },
    { name: 'the longest token', field: 'k'.repeat(255) },
  ])('may come bare: $name', ({ field }) => {
    expect(parseIdempotencyKey(field)).toBe(field)
  })

  test.each([
    { name: 'nothing', field: '' },
    { name: 'an empty string', field: '""' },
    { name: 'a string without its end', field: '"abc' },
    { name: 'a string without its beginning', field: 'abc"' },
    { name: 'two strings', field: '"a", "b"' },
    { name: 'two tokens', field: 'a, b' },
    { name: 'spaces without quotes', field: 'a b' },
    { name: 'something behind the string', field: '"abc" def' },
    { name: 'a parameter', field: '"abc";p=1' },
    { name: 'a wrong escape', field: '"a\\b"' },
    { name: 'a backslash at the end', field: '"a\\"' },
    { name: 'too long a token', field: 'k'.repeat(256) },
    { name: 'too long a string', field: `"${'k'.repeat(256)}"` },
    { name: 'letters beyond ASCII', field: '"\u00e9"' },
    { name: 'a tab', field: '"a\tb"' },
    { name: 'a DEL', field: 'a\x7f' },
  ])('is refused: $name', ({ field }) => {
    expect(parseIdempotencyKey(field)).toBeUndefined()
  })

  test('is refused however long and hostile it is', () => {
    expect(parseIdempotencyKey(`"${'\\\\'.repeat(30_000)}`)).toBeUndefined()
    expect(parseIdempotencyKey(`${'k'.repeat(60_000)},`)).toBeUndefined()
  })
})
