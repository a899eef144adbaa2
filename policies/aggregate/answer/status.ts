import type { Outcome } from '../outcome.ts'

/** The fields that tell a client which parts it got (RFC 9651: a List of Tokens, and a Boolean). */
export function compositionFields(outcomes: readonly Outcome[]): Record<string, string> {
  return {
    'composition-status': outcomes.map(describe).join(', '),
    'composition-complete': isComplete(outcomes) ? '?1' : '?0',
  }
}

/** True when every part that was to be asked is the upstream's own reply. */
export function isComplete(outcomes: readonly Outcome[]): boolean {
  return outcomes.every(({ kind }) => kind === 'ok' || kind === 'skipped')
}

/** What became of a part, in one word for counting. */
export function wordFor(outcome: Outcome): string {
  if (outcome.kind === 'ok' && outcome.ageMs !== undefined) return 'cached'
  return outcome.kind === 'fallback' && outcome.ageMs !== undefined ? 'stale' : outcome.kind
}

/** Names of parts are tokens and reasons are plain words by their schemas, so nothing needs escaping. */
function describe(outcome: Outcome): string {
  const { part, kind } = outcome
  if (kind === 'skipped') return `${part};skipped`
  const duration = kind === 'ok' || kind === 'partial' ? `;dur=${Math.max(0, Math.round(outcome.durationMs))}` : ''
  if (kind === 'ok') return `${part};ok${duration}${aged('cached', outcome.ageMs)}`
  const { reason, status } = outcome.failure
  const error = `;error="${reason}"${status === undefined ? '' : `;status=${status}`}`
  if (kind === 'partial') return `${part};partial${duration};failed=${outcome.failed}${error}`
  return `${part};${kind}${kind === 'fallback' ? aged('stale', outcome.ageMs) : ''}${error}`
}

/** Whole seconds, as in the `Age` field (RFC 9111 §5.1). */
function aged(word: string, ageMs: number | undefined): string {
  return ageMs === undefined ? '' : `;${word};age=${Math.max(0, Math.floor(ageMs / 1_000))}`
}
