import type { Failed, Outcome } from '../outcome.ts'
import type { Composition } from '../run/compose.ts'
import { document } from './document.ts'
import { refusal } from './refusal.ts'
import { compositionFields, isComplete } from './status.ts'

/** The composed document, one key per part in file order. Throws `GatewayError` when there is none to give. */
export function answer({ outcomes, decider }: Composition): Response {
  const decisive = decider ?? withoutAnyReply(outcomes)
  if (decisive) throw refusal(decisive, outcomes)
  return new Response(document(outcomes), {
    headers: {
      'content-type': 'application/json',
      ...(isComplete(outcomes) ? {} : { 'cache-control': 'no-store' }),
      ...compositionFields(outcomes),
    },
  })
}

/** With nothing but failures an empty document would lie; with a fallback for every part it is what was asked for. */
function withoutAnyReply(outcomes: readonly Outcome[]): Failed | undefined {
  if (outcomes.some(({ kind }) => kind === 'ok' || kind === 'partial')) return undefined
  return outcomes.find((outcome) => outcome.kind === 'failed')
}
