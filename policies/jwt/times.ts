import type { JWTPayload } from 'jose'
import { Refusal } from './refusal.ts'

export interface TimeRules {
  /** How far the issuer's clock may be off, either way. */
  readonly toleranceMs: number
  /** Longest time since `iat`; undefined when tokens may be as old as their `exp` lets them. */
  readonly maxAgeMs: number | undefined
}

/**
 * Checks `exp`, `nbf` and `iat` against the clock; runs at every use of a token, remembered or not. `exp` must be there
 * and every date a finite number (JSON's `1e400` is infinite, and would never expire). Throws `Refusal`.
 */
export function checkTimes({ exp, nbf, iat }: JWTPayload, nowMs: number, { toleranceMs, maxAgeMs }: TimeRules): void {
  if (toMs(exp) + toleranceMs <= nowMs) throw new Refusal('expired')
  if (nbf !== undefined && toMs(nbf) - toleranceMs > nowMs) throw new Refusal('not-yet-valid')
  if (iat !== undefined && toMs(iat) - toleranceMs > nowMs) throw new Refusal('not-yet-valid')
  if (maxAgeMs !== undefined && toMs(iat) + maxAgeMs + toleranceMs < nowMs) throw new Refusal('expired')
}

function toMs(seconds: unknown): number {
  if (typeof seconds !== 'number' || !Number.isFinite(seconds)) throw new Refusal('claims')
  return seconds * 1_000
}
