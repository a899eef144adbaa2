import type { Exchange } from '../../../gateway/core/exchange.ts'
import { noteWhole } from '../../../gateway/core/read-reply.ts'
import type { Sha256 } from '../../../gateway/core/services.ts'
import type { Failed, Outcome } from '../outcome.ts'
import type { Composition } from '../run/plan.ts'
import { entityTag, isKnown } from './etag.ts'
import type { ReplyFields } from './fields.ts'
import { refusal } from './refusal.ts'
import { isComplete, statusOf } from './status.ts'
import type { Write } from './write.ts'

/** How an answer is made of outcomes, compiled. */
export interface Answering {
  readonly write: Write
  readonly fields: ReplyFields
  /** Makes the entity tags of complete answers; undefined when they have none. */
  readonly hash: Sha256 | undefined
}

/** The composed answer, or 304 when the client has it. Rejects with `GatewayError` when there is none to give. */
export async function answer(
  composing: Composition | Promise<Composition>,
  { write, fields, hash }: Answering,
  exchange: Exchange,
): Promise<Response> {
  const { outcomes, decider } = await composing
  const decisive = decider ?? withoutAnyReply(outcomes)
  if (decisive) throw refusal(decisive, outcomes)
  const { method, headers: asked } = exchange.request
  const written = write(outcomes, exchange)
  const bytes = written instanceof Promise ? await written : written
  const isWhole = isComplete(outcomes)
  const body = method === 'HEAD' ? null : bytes
  const response = noteWhole(new Response(body), body)
  // To set the fields of a response is cheaper than to give it some that were put together before.
  const { headers } = response
  headers.set('content-type', 'application/json')
  if (method === 'HEAD') headers.set('content-length', String(bytes.byteLength))
  headers.set('composition-status', statusOf(outcomes))
  headers.set('composition-complete', isWhole ? '?1' : '?0')
  const setsCookie = fields.pass(headers, outcomes)
  if (!isWhole) headers.set('cache-control', 'no-store')
  else if (method === 'GET' || method === 'HEAD') {
    const caching = fields.limitCaching(headers, outcomes, { exchange, setsCookie })
    if (!hash || caching === 'no-store') return response
    const digest = entityTag(bytes, hash)
    const tag = digest instanceof Promise ? await digest : digest
    headers.set('etag', tag)
    if (isKnown(asked.get('if-none-match'), tag)) return notModified(headers)
  }
  return response
}

/** Without what describes a body that is not sent (RFC 9110 §15.4.5). */
function notModified(headers: Headers): Response {
  headers.delete('content-type')
  headers.delete('content-length')
  return noteWhole(new Response(null, { status: 304, headers }))
}

/** The part whose failure answers where no part has a reply; with a fallback for every part it is what was asked for. */
export function withoutAnyReply(outcomes: readonly Outcome[]): Failed | undefined {
  return outcomes.some(isReply) ? undefined : outcomes.find((outcome) => outcome.kind === 'failed')
}

function isReply({ kind }: Outcome): boolean {
  return kind === 'ok' || kind === 'partial'
}
