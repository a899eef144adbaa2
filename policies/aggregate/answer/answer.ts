import type { Exchange } from '../../../gateway/core/exchange.ts'
import type { Sha256 } from '../../../gateway/core/services.ts'
import type { Failed, Outcome } from '../outcome.ts'
import type { Composition } from '../run/compose.ts'
import { entityTag, isKnown } from './etag.ts'
import type { ReplyFields } from './fields.ts'
import { refusal } from './refusal.ts'
import { compositionFields, isComplete } from './status.ts'
import type { Write } from './write.ts'

/** How an answer is made of outcomes, compiled. */
export interface Answering {
  readonly write: Write
  readonly fields: ReplyFields
  /** Makes the entity tags of complete answers; undefined when they have none. */
  readonly hash: Sha256 | undefined
}

/** The composed answer, or 304 when the client has it. Throws `GatewayError` when there is none to give. */
export async function answer(
  { outcomes, decider }: Composition,
  { write, fields, hash }: Answering,
  exchange: Exchange,
): Promise<Response> {
  const decisive = decider ?? withoutAnyReply(outcomes)
  if (decisive) throw refusal(decisive, outcomes)
  const { method, headers: asked } = exchange.request
  const bytes = await write(outcomes, exchange)
  const headers = new Headers({ 'content-type': 'application/json', ...compositionFields(outcomes) })
  const setsCookie = fields.pass(headers, outcomes)
  if (!isComplete(outcomes)) headers.set('cache-control', 'no-store')
  else if (method === 'GET' || method === 'HEAD') {
    fields.limitCaching(headers, outcomes, { exchange, setsCookie })
    if (hash && headers.get('cache-control') !== 'no-store') {
      const tag = await entityTag(bytes, hash)
      headers.set('etag', tag)
      if (isKnown(asked.get('if-none-match'), tag)) return notModified(headers)
    }
  }
  if (method !== 'HEAD') return new Response(bytes, { headers })
  headers.set('content-length', String(bytes.byteLength))
  return new Response(null, { headers })
}

/** Without what describes a body that is not sent (RFC 9110 §15.4.5). */
function notModified(headers: Headers): Response {
  headers.delete('content-type')
  return new Response(null, { status: 304, headers })
}

/** The part whose failure answers where no part has a reply; with a fallback for every part it is what was asked for. */
export function withoutAnyReply(outcomes: readonly Outcome[]): Failed | undefined {
  if (outcomes.some(({ kind }) => kind === 'ok' || kind === 'partial')) return undefined
  return outcomes.find((outcome) => outcome.kind === 'failed')
}
