import { describe, expect, test } from 'bun:test'
import { checkTimes } from './times.ts'

const NOW = 1_000_000
const NOW_MS = NOW * 1_000
const exact = { toleranceMs: 0, maxAgeMs: undefined }

describe('checking the times of a token', () => {
  const accepted = [
    { name: 'accepts a token that expires in a second', claims: { exp: NOW + 1 }, rules: exact },
    { name: 'accepts nbf and iat that are now', claims: { exp: NOW + 1, nbf: NOW, iat: NOW }, rules: exact },
    { name: 'accepts fractions of seconds', claims: { exp: NOW + 0.5 }, rules: exact },
    {
      name: 'accepts exp just within the tolerance',
      claims: { exp: NOW - 4 },
      rules: { ...exact, toleranceMs: 5_000 },
    },
    {
      name: 'accepts nbf at the tolerance',
      claims: { exp: NOW + 9, nbf: NOW + 5 },
      rules: { ...exact, toleranceMs: 5_000 },
    },
    {
      name: 'accepts a token of the greatest age',
      claims: { exp: NOW + 9, iat: NOW - 60 },
      rules: { ...exact, maxAgeMs: 60_000 },
    },
  ]

  test.each(accepted)('$name', ({ claims, rules }) => {
    expect(() => checkTimes(claims, NOW_MS, rules)).not.toThrow()
  })

  const refused = [
    { name: 'refuses exp in the past', claims: { exp: NOW - 1 }, reason: 'expired' },
    { name: 'refuses exp that is now', claims: { exp: NOW }, reason: 'expired' },
    { name: 'refuses exp zero', claims: { exp: 0 }, reason: 'expired' },
    { name: 'refuses a negative exp', claims: { exp: -1 }, reason: 'expired' },
    { name: 'refuses a missing exp', claims: {}, reason: 'claims' },
    { name: 'refuses exp null', claims: { exp: null }, reason: 'claims' },
    { name: 'refuses exp as text', claims: { exp: '9999999999' }, reason: 'claims' },
    { name: 'refuses an infinite exp', claims: JSON.parse('{"exp":1e400}'), reason: 'claims' },
    { name: 'refuses nbf in the future', claims: { exp: NOW + 9, nbf: NOW + 1 }, reason: 'not-yet-valid' },
    { name: 'refuses nbf as text', claims: { exp: NOW + 9, nbf: '0' }, reason: 'claims' },
    { name: 'refuses iat in the future', claims: { exp: NOW + 9, iat: NOW + 1 }, reason: 'not-yet-valid' },
    { name: 'refuses iat as a list', claims: { exp: NOW + 9, iat: [NOW] }, reason: 'claims' },
    {
      name: 'refuses exp at the tolerance',
      claims: { exp: NOW - 5 },
      rules: { ...exact, toleranceMs: 5_000 },
      reason: 'expired',
    },
    {
      name: 'refuses a token older than the greatest age',
      claims: { exp: NOW + 9, iat: NOW - 61 },
      rules: { ...exact, maxAgeMs: 60_000 },
      reason: 'expired',
    },
    {
      name: 'refuses a token of unknown age when there is a greatest one',
      claims: { exp: NOW + 9 },
      rules: { ...exact, maxAgeMs: 60_000 },
      reason: 'claims',
    },
  ]

  test.each(refused)('$name', ({ claims, rules = exact, reason }) => {
    expect(() => checkTimes(claims, NOW_MS, rules)).toThrow(expect.objectContaining({ name: 'Refusal', reason }))
  })
})
