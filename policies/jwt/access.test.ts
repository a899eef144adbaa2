import { describe, expect, test } from 'bun:test'
import { readClaim, scopesOf, unmetClaims } from './access.ts'

describe('reading a claim', () => {
  const claims = { sub: 'alice', 'https://shop.example/role': 'admin', realm_access: { roles: ['buyer'] } }
  const cases = [
    { name: 'finds a claim by its name', path: 'sub', value: 'alice' },
    { name: 'finds a name with dots in it', path: 'https://shop.example/role', value: 'admin' },
    { name: 'follows a dotted path', path: 'realm_access.roles', value: ['buyer'] },
    { name: 'finds nothing below a text', path: 'sub.length', value: undefined },
    { name: 'finds nothing that is inherited', path: 'constructor.name', value: undefined },
    { name: 'finds nothing under __proto__', path: '__proto__', value: undefined },
  ]
  test.each(cases)('$name', ({ path, value }) => {
    expect(readClaim(claims, path)).toEqual(value)
  })
})

describe('reading scopes', () => {
  const cases = [
    {
      name: 'splits a scope text',
      claims: { scope: 'orders:read orders:write' },
      scopes: ['orders:read', 'orders:write'],
    },
    { name: 'takes a list in scp', claims: { scp: ['a', 'b', 7] }, scopes: ['a', 'b'] },
    { name: 'takes a text in scp', claims: { scp: 'a b' }, scopes: ['a', 'b'] },
    { name: 'joins both', claims: { scope: 'a', scp: ['b'] }, scopes: ['a', 'b'] },
    { name: 'grants nothing for an object', claims: { scope: { a: true } }, scopes: [] },
    { name: 'grants nothing without either', claims: {}, scopes: [] },
  ]
  test.each(cases)('$name', ({ claims, scopes }) => {
    expect([...scopesOf(claims)]).toEqual(scopes)
  })
})

describe('requiring claims', () => {
  const cases = [
    { name: 'is met by the very value', claims: { tier: 'gold' }, required: { tier: ['gold'] }, unmet: [] },
    {
      name: 'is met by one of several values',
      claims: { tier: 'gold' },
      required: { tier: ['silver', 'gold'] },
      unmet: [],
    },
    {
      name: 'is met by a list that holds the value',
      claims: { roles: ['a', 'b'] },
      required: { roles: ['b'] },
      unmet: [],
    },
    { name: 'is met by any value when none is named', claims: { tier: 0 }, required: { tier: [] }, unmet: [] },
    { name: 'is not met by part of a text', claims: { tier: 'golden' }, required: { tier: ['gold'] }, unmet: ['tier'] },
    { name: 'is not met by another type', claims: { level: '1' }, required: { level: [1] }, unmet: ['level'] },
    { name: 'is not met by null', claims: { tier: null }, required: { tier: [] }, unmet: ['tier'] },
    { name: 'is not met by a missing claim', claims: {}, required: { a: [], b: [true] }, unmet: ['a', 'b'] },
    { name: 'is not met by an empty list', claims: { roles: [] }, required: { roles: ['a'] }, unmet: ['roles'] },
  ]
  test.each(cases)('$name', ({ claims, required, unmet }) => {
    expect(unmetClaims(claims, required)).toEqual(unmet)
  })
})
