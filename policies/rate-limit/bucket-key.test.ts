import { describe, expect, test } from 'bun:test'
import { parseReference } from '../../gateway/core/reference.ts'
import type { Scope } from '../../gateway/core/scope.ts'
import { bucketKey } from './bucket-key.ts'

const scopeOf = (headers: Record<string, string>, rest: Partial<Scope> = {}): Scope => ({
  params: {},
  query: () => undefined,
  header: (name) => headers[name],
  cookie: () => undefined,
  claims: undefined,
  clientIp: '192.0.2.1',
  clientId: undefined,
  route: 'route',
  body: undefined,
  ...rest,
})

const keyOf = (by: readonly string[], scope: Scope) => bucketKey(by.map(parseReference), scope)

describe('the key of a budget', () => {
  test('shows who is counted when that is no secret', async () => {
    expect(await keyOf(['claims.sub'], scopeOf({}, { claims: { sub: 'alice' } }))).toBe('[["value","alice"]]')
    expect(await keyOf(['client.ip'], scopeOf({}))).toBe('[["address","192.0.2.1"]]')
  })

  test('hides what may be a credential, and still tells two of them apart', async () => {
    const [one, same, other] = await Promise.all(
      ['s3cret', 's3cret', 's3cret2'].map((key) => keyOf(['headers.x-api-key'], scopeOf({ 'x-api-key': key }))),
    )
    expect(one).toMatch(/^#[0-9a-f]{64}$/)
    expect(same).toBe(one ?? '')
    expect(other).not.toBe(one ?? '')
  })

  test('stays short however long a value is', async () => {
    expect(await keyOf(['claims.sub'], scopeOf({}, { claims: { sub: 'a'.repeat(100_000) } }))).toHaveLength(65)
  })

  test('keeps values of different types apart', async () => {
    const keys = await Promise.all(
      ['1', 1, true, 'true', ['1'], { a: 1 }].map((sub) => keyOf(['claims.sub'], scopeOf({}, { claims: { sub } }))),
    )
    expect(new Set(keys).size).toBe(keys.length)
  })

  test('has a budget of its own for clients of whom nothing at all is known', async () => {
    expect(await keyOf(['claims.sub'], scopeOf({}, { clientIp: undefined }))).toBe('[["address",null]]')
  })
})
