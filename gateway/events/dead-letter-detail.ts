import type { Field } from '@cloudamqp/amqp-client'
import type { DeadLetterDetail } from '../core/operations.ts'
import type { DeadMessage } from './dead-letter.ts'

/** The most that is shown: whoever published the message decides how long it is. */
const MOST_HEADERS = 50
const MOST_TEXT = 500
const MOST_BODY_BYTES = 16_384

/** Headers that somebody may have put a credential into. */
const SECRET = /auth|cookie|token|secret|passw|credential|api-?key|session/i

/** The headers and the body of a dead letter, as far as an operator may and can read them. */
export function detailOf({ properties, body }: DeadMessage): Pick<DeadLetterDetail, 'headers' | 'body'> {
  const headers = Object.entries(properties.headers ?? {}).slice(0, MOST_HEADERS)
  return {
    headers: Object.fromEntries(
      headers.map(([name, value]) => [name.slice(0, MOST_TEXT), SECRET.test(name) ? '(not shown)' : toText(value)]),
    ),
    body: new TextDecoder().decode(body.subarray(0, MOST_BODY_BYTES)),
  }
}

function toText(value: Field): string {
  return (typeof value === 'string' ? value : toJson(value)).slice(0, MOST_TEXT)
}

/** Nested as deep as a frame allows, which may be deeper than can be written. */
function toJson(value: Field): string {
  try {
    return JSON.stringify(value, (name, part) => {
      if (SECRET.test(name)) return '(not shown)'
      return typeof part === 'bigint' ? Number(part) : part
    })
  } catch {
    return '(cannot be shown)'
  }
}
