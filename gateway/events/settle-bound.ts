import { LONGEST_POSTPONEMENT_MS, type OutboxEntry } from './outbox.ts'
import type { Unsettled } from './settle-attempt.ts'

/** How long ago the request was made, or an operator put it back, in milliseconds. */
export function ageMs({ intendedAtMs, requeuedAtMs }: OutboxEntry, nowMs: number): number {
  return nowMs - (requeuedAtMs ?? intendedAtMs)
}

/**
 * True when it must not be asked any more. An upstream that has forgotten the key by then would do a replayed request a
 * second time; a probe does no harm however late, so one is always made.
 */
export function isTooLate({ entry, settlement: { mode, withinMs } }: Unsettled, nowMs: number): boolean {
  return ageMs(entry, nowMs) > withinMs && (mode === 'replay' || entry.attempts > 0)
}

/** The last try must be over before the bound is. */
const LAST_TRY_MS = 2_000

/** When to try again: after the wait, but once more before the bound ends; `undefined` when there is no time left. */
export function whenNext(
  { entry, settlement: { withinMs } }: Unsettled,
  nowMs: number,
  waitMs: number,
): number | undefined {
  const leftMs = withinMs - ageMs(entry, nowMs) - LAST_TRY_MS
  return leftMs <= 0 ? undefined : Math.round(nowMs + Math.min(waitMs, leftMs, LONGEST_POSTPONEMENT_MS))
}

/** Why an entry is parked whose time is up. */
export function tooLate({ entry, settlement: { withinMs } }: Unsettled, nowMs: number): string {
  const { attempts, reason = 'unknown' } = entry
  if (attempts > 0) return `not settled within ${seconds(withinMs)}, asked ${attempts} times: ${reason}`
  const age = seconds(ageMs(entry, nowMs))
  return `not asked again for ${age}, and settle-within (${seconds(withinMs)}) allows no later: ${reason}`
}

/** Why an entry is parked that has no settlement. */
export function leftToOperator({ reason = 'unknown', draft: { cannotSettle } }: OutboxEntry): string {
  return `${reason}; ${cannotSettle ?? 'the route leaves that to an operator (settle: park)'}`
}

function seconds(ms: number): string {
  return `${Math.round(ms / 1_000)} s`
}
