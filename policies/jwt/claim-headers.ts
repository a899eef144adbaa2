import type { JWTPayload } from 'jose'
import { readClaim } from './access.ts'

/** Visible ASCII with spaces inside: what no hop trims, folds or reads in another charset. */
const SAFE = /^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/

/**
 * A claim as a header value: text, numbers and booleans as they are, lists joined by commas. Undefined when it is
 * missing or cannot be carried unambiguously, e.g. a list whose member holds a comma, or text outside ASCII.
 */
export function claimAsHeader(claims: JWTPayload, name: string): string | undefined {
  const value = readClaim(claims, name)
  const text = Array.isArray(value) ? joined(value) : scalar(value)
  return text !== undefined && SAFE.test(text) ? text : undefined
}

function joined(values: readonly unknown[]): string | undefined {
  const texts = values.map(scalar)
  return texts.every((text) => text !== undefined && SAFE.test(text) && !text.includes(','))
    ? texts.join(',')
    : undefined
}

function scalar(value: unknown): string | undefined {
  if (typeof value === 'string') return value
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : undefined
}
