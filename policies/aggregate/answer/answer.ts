import type { Exchange } from '../../../gateway/core/exchange.ts'
import type { Failed, Outcome } from '../outcome.ts'
import type { Composition } from '../run/compose.ts'
import { refusal } from './refusal.ts'
import { compositionFields, isComplete } from './status.ts'
import type { Write } from './write.ts'

/** The composed answer. Throws `GatewayError` when there is none to give. */
export async function answer({ outcomes, decider }: Composition, write: Write, exchange: Exchange): Promise<Response> {
  const decisive = decider ?? withoutAnyReply(outcomes)
  if (decisive) throw refusal(decisive, outcomes)
  return new Response(await write(outcomes, exchange), {
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
