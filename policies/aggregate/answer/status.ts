import type { Outcome } from '../outcome.ts'

/** The fields that tell a client which parts it got (RFC 9651: a List of Tokens, and a Boolean). */
export function compositionFields(outcomes: readonly Outcome[]): Record<string, string> {
  return {
    'composition-status': outcomes.map(describe).join(', '),
    'composition-complete': isComplete(outcomes) ? '?1' : '?0',
  }
}

/** True when every part is the upstream's own reply. */
export function isComplete(outcomes: readonly Outcome[]): boolean {
  return outcomes.every(({ kind }) => kind === 'ok')
}

/** Names of parts are tokens and reasons are plain words by their schemas, so nothing needs escaping. */
function describe(outcome: Outcome): string {
  const { part, kind } = outcome
  if (kind === 'ok') return `${part};ok;dur=${Math.max(0, Math.round(outcome.durationMs))}`
  const { reason, status } = outcome.failure
  return `${part};${kind};error="${reason}"${status === undefined ? '' : `;status=${status}`}`
}
