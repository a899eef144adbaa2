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
export function isTooLate(unsettled: Unsettled, nowMs: number): boolean {
  return ageMs(unsettled.entry, nowMs) > unsettled.settlement.withinMs && !isFirstProbe(unsettled)
}

function isFirstProbe({ entry, settlement }: Unsettled): boolean {
  return settlement.mode === 'probe' && entry.attempts === 0
}

/** The last try must be over before the bound is. */
const LAST_TRY_MS = 2_000

function lastTryInMs({ entry, settlement: { withinMs } }: Unsettled, nowMs: number): number {
  return withinMs - ageMs(entry, nowMs) - LAST_TRY_MS
}

/** What keeps an entry from being asked about at once, in milliseconds. */
export interface Delay {
  readonly waitMs: number
  /** The part of it in which its upstream is asked nothing at all. */
  readonly pausedForMs: number
}

/**
 * When to try again, in milliseconds since the Unix epoch: after the wait, but once more before the bound ends;
 * `undefined` when there is no time left, or its upstream is asked nothing until then.
 */
export function whenNext(unsettled: Unsettled, nowMs: number, { waitMs, pausedForMs }: Delay): number | undefined {
  const leftMs = isFirstProbe(unsettled) ? Number.POSITIVE_INFINITY : lastTryInMs(unsettled, nowMs)
  if (leftMs <= 0 || pausedForMs > leftMs) return undefined
  return Math.ceil(nowMs + Math.min(waitMs, leftMs, LONGEST_POSTPONEMENT_MS))
}

/** Why an entry is parked for which there is no time to try again. */
export function tooLate(unsettled: Unsettled, nowMs: number): string {
  const { entry, settlement } = unsettled
  const { attempts, reason = 'unknown' } = entry
  const within = seconds(settlement.withinMs)
  if (lastTryInMs(unsettled, nowMs) > 0) {
    const times = attempts > 0 ? `, asked ${attempts} times` : ''
    return `the upstream is left alone until settle-within (${within}) is over${times}: ${reason}`
  }
  if (attempts > 0) return `not settled within ${within}, asked ${attempts} times: ${reason}`
  const age = seconds(ageMs(entry, nowMs))
  return `not asked again for ${age}, and settle-within (${within}) allows no later: ${reason}`
}

/** Why an entry is parked that has no settlement. */
export function leftToOperator({ reason = 'unknown', draft: { cannotSettle } }: OutboxEntry): string {
  return `${reason}; ${cannotSettle ?? 'the route leaves that to an operator (settle: park)'}`
}

function seconds(ms: number): string {
  return `${Math.round(ms / 1_000)} s`
}
