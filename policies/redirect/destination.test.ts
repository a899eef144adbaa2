import { describe, expect, test } from 'bun:test'
import type { Scope } from '../../gateway/core/scope.ts'
import { destination, locationOf } from './destination.ts'

const holding = (rest: string): Scope => ({
  params: { '*': rest },
  query: () => undefined,
  header: () => undefined,
  cookie: () => undefined,
  claims: undefined,
  clientIp: undefined,
  clientId: undefined,
  route: 'old',
  body: undefined,
})

describe('locationOf', () => {
  test('refuses a wildcard that would make another host of the path', () => {
    const to = destination.parse('/{params.*}')
    expect(() => locationOf(to, holding('/evil.test'))).toThrow('two slashes')
    expect(locationOf(to, holding('evil.test'))).toBe('/evil.test')
  })

  test('lets a wildcard begin with a slash where the host is fixed before it', () => {
    expect(locationOf(destination.parse('/old/{params.*}'), holding('/a'))).toBe('/old//a')
  })

  test('keeps what stands before the path as it is', () => {
    expect(locationOf(destination.parse('http://[::1]:8080/{params.*}'), holding('a b/c'))).toBe(
      'http://[::1]:8080/a%20b/c',
    )
  })

  test('refuses dot segments', () => {
    expect(() => locationOf(destination.parse('/a/{params.*}'), holding('../b'))).toThrow('dot segment')
  })
})
