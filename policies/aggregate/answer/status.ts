import type { Outcome } from '../outcome.ts'

/** The fields that tell a client which parts it got (RFC 9651: a List of Tokens, and a Boolean). */
export function compositionFields(outcomes: readonly Outcome[]): Record<string, string> {
  return {
    'composition-status': statusOf(outcomes),
    'composition-complete': isComplete(outcomes) ? '?1' : '?0',
  }
}

/** What became of each part, as a List. */
export function statusOf(outcomes: readonly Outcome[]): string {
  return outcomes.map(describe).join(', ')
}

/** True when every part that was to be asked is the upstream's own reply. */
export function isComplete(outcomes: readonly Outcome[]): boolean {
  return outcomes.every(isWhole)
}

function isWhole({ kind }: Outcome): boolean {
  return kind === 'ok' || kind === 'skipped'
}

/** What can become of a part, in one word for counting. */
export const WORDS = ['ok', 'cached', 'partial', 'fallback', 'stale', 'skipped', 'failed'] as const

export type Word = (typeof WORDS)[number]

/** The word for what became of a part. */
export function wordFor(outcome: Outcome): Word {
  if (outcome.kind === 'ok') return outcome.ageMs === undefined ? 'ok' : 'cached'
  if (outcome.kind === 'fallback') return outcome.ageMs === undefined ? 'fallback' : 'stale'
  return outcome.kind
}

/** Names of parts are tokens and reasons are plain words by their schemas, so nothing needs escaping. */
function describe(outcome: Outcome): string {
  const { part, kind } = outcome
  if (kind === 'skipped') return `${part};skipped`
  if (kind === 'ok') return `${part};ok;dur=${wholeMs(outcome.durationMs)}${aged('cached', outcome.ageMs)}`
  const { reason, status } = outcome.failure
  const error = `;error="${reason}"${status === undefined ? '' : `;status=${status}`}`
  if (kind === 'partial') return `${part};partial;dur=${wholeMs(outcome.durationMs)};failed=${outcome.failed}${error}`
  return `${part};${kind}${kind === 'fallback' ? aged('stale', outcome.ageMs) : ''}${error}`
}

function wholeMs(durationMs: number): number {
  return Math.max(0, Math.round(durationMs))
}

/** Whole seconds, as in the `Age` field (RFC 9111 §5.1). */
function aged(word: string, ageMs: number | undefined): string {
  return ageMs === undefined ? '' : `;${word};age=${Math.max(0, Math.floor(ageMs / 1_000))}`
}
