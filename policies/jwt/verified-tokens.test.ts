import { describe, expect, test } from 'bun:test'
import { createVerifiedTokens } from './verified-tokens.ts'

const set = { keys: [] }

describe('remembering verified tokens', () => {
  test('gives the claims back for the same token and the same keys', () => {
    const tokens = createVerifiedTokens()
    tokens.remember('token', set, { sub: 'alice' })
    expect(tokens.recall('token', set)).toEqual({ sub: 'alice' })
  })

  test('knows nothing of a token that differs in its last character', () => {
    const tokens = createVerifiedTokens()
    tokens.remember('token', set, { sub: 'alice' })
    expect(tokens.recall('tokem', set)).toBeUndefined()
  })

  test('knows nothing once the keys are others, be they alike', () => {
    const tokens = createVerifiedTokens()
    tokens.remember('token', set, { sub: 'alice' })
    expect(tokens.recall('token', { keys: [] })).toBeUndefined()
  })

  test('forgets the least recent of more than ten thousand', () => {
    const tokens = createVerifiedTokens()
    for (let i = 0; i <= 10_000; i++) tokens.remember(`token-${i}`, set, { jti: `${i}` })
    expect(tokens.recall('token-0', set)).toBeUndefined()
    expect(tokens.recall('token-1', set)).toEqual({ jti: '1' })
  })

  test('holds fewer when they are long', () => {
    const tokens = createVerifiedTokens()
    const long = (i: number) => `${i}-${'x'.repeat(8_000)}`
    for (let i = 0; i < 1_000; i++) tokens.remember(long(i), set, {})
    const held = Array.from({ length: 1_000 }, (_, i) => tokens.recall(long(i), set)).filter(Boolean)
    expect(held.length).toBeGreaterThan(100)
    expect(held.length).toBeLessThan(600)
  })
})
