import { bodyTooLarge } from '../../gateway/core/body.ts'
import { GatewayError } from '../../gateway/core/errors.ts'
import { derivedId, identityOf } from '../../gateway/core/event-recipe.ts'
import type { EventSchema } from '../../gateway/core/event-schema.ts'
import type { CloudEvent } from '../../gateway/core/events.ts'
import type { Exchange } from '../../gateway/core/exchange.ts'
import { principal } from '../../gateway/core/keys.ts'
import type { EnqueueOptions } from './options.ts'

/** What a message may hold; the outbox would otherwise accept what the broker can never take. */
const MAX_SUBJECT_BYTES = 1_024
const MAX_DATA_BYTES = 16 * 1024 * 1024

/**
 * The part of a command that the request says. Throws `invalid-request` or `body-too-large` for what no message can carry
 * or `schema` does not allow.
 */
export function readCommand(
  { subject: subjectTemplate, data: dataTemplate }: EnqueueOptions,
  schema: EventSchema | undefined,
  { scope }: Exchange,
) {
  const subject = subjectTemplate?.text(scope) ?? ''
  const data = dataTemplate.value(scope)
  if (data === undefined) throw new GatewayError('invalid-request', { detail: 'The command has no data' })
  if (sizeOf(subject) > MAX_SUBJECT_BYTES) {
    const detail = `The subject of the command takes more than ${MAX_SUBJECT_BYTES} bytes`
    throw new GatewayError('invalid-request', { detail })
  }
  if (sizeOf(data) > MAX_DATA_BYTES) throw bodyTooLarge(MAX_DATA_BYTES)
  const mistakes = schema?.misfits(data) ?? []
  if (mistakes.length > 0) {
    const detail = `The command does not have the form it must have: see "mistakes"`
    throw new GatewayError('invalid-request', { detail, extensions: { mistakes } })
  }
  return { ...(subject === '' ? {} : { subject }), data }
}

/**
 * The id of the command: made anew for a request without an `Idempotency-Key`; with one the same for every repeat of the
 * same request by the same caller, so that the outbox and the consumers know a repeat however late it comes.
 */
export async function commandId(
  { type, source, subject, data }: Pick<CloudEvent, 'type' | 'source' | 'subject' | 'data'>,
  exchange: Exchange,
  createId: () => string,
): Promise<string> {
  const key = exchange.request.headers.get('idempotency-key') ?? ''
  if (key === '') return createId()
  const id = exchange.get(principal)?.id
  // Strangers may choose the same key.
  const caller = id ?? `address ${exchange.client.ip ?? ''}`
  // A key that comes again with other data is another command: taken for a repeat, it would be lost.
  return derivedId(identityOf({ source, type, caller, key }), '', [subject ?? null, data])
}

function sizeOf(value: unknown): number {
  return new TextEncoder().encode(JSON.stringify(value)).byteLength
}
