import { GatewayError } from '../../gateway/core/errors.ts'
import type { Composition } from './compose.ts'
import type { Failed, Outcome } from './outcome.ts'
import { compositionFields, isComplete } from './status.ts'

/** The composed document, one key per part in file order. Throws `GatewayError` when there is none to give. */
export function answer({ outcomes, decider }: Composition): Response {
  const decisive = decider ?? withoutAnyReply(outcomes)
  if (decisive) throw refusal(decisive, outcomes)
  return new Response(join(outcomes), {
    headers: {
      'content-type': 'application/json',
      ...(isComplete(outcomes) ? {} : { 'cache-control': 'no-store' }),
      ...compositionFields(outcomes),
    },
  })
}

/** With nothing but failures an empty document would lie; with a fallback for every part it is what was asked for. */
function withoutAnyReply(outcomes: readonly Outcome[]): Failed | undefined {
  if (outcomes.some(({ kind }) => kind === 'ok')) return undefined
  return outcomes.find((outcome) => outcome.kind === 'failed')
}

function refusal({ part, failure }: Failed, outcomes: readonly Outcome[]): GatewayError {
  const {
    code,
    reason,
    status,
    detail = status === undefined ? reason : `its upstream answered ${status}`,
    retryAfter,
  } = failure
  return new GatewayError(code, {
    detail: `The part "${part}" failed: ${detail}`,
    headers: { ...compositionFields(outcomes), ...(retryAfter === undefined ? {} : { 'retry-after': retryAfter }) },
    extensions: { parts: outcomes.flatMap(toMember) },
  })
}

function toMember(outcome: Outcome): readonly object[] {
  if (outcome.kind === 'ok' || outcome.failure.reason === 'cancelled') return []
  const { reason, status } = outcome.failure
  return [{ name: outcome.part, error: reason, ...(status === undefined ? {} : { status }) }]
}

const OPEN = 0x7b
const CLOSE = 0x7d
const COMMA = 0x2c

/** Joins the texts as they are, so that numbers keep all their digits and no key can mean anything to the gateway. */
function join(outcomes: readonly Outcome[]): Uint8Array<ArrayBuffer> {
  const members = outcomes.flatMap((outcome) => {
    if (outcome.kind === 'failed') return []
    const json = outcome.kind === 'ok' ? outcome.reply.json : outcome.fallback.json
    return [{ key: new TextEncoder().encode(`${JSON.stringify(outcome.part)}:`), json }]
  })
  const commas = Math.max(0, members.length - 1)
  const size = members.reduce((sum, { key, json }) => sum + key.byteLength + json.byteLength, 2 + commas)
  const document = new Uint8Array(size)
  let end = 0
  const put = (bytes: ArrayLike<number>) => {
    document.set(bytes, end)
    end += bytes.length
  }
  put([OPEN])
  for (const [i, { key, json }] of members.entries()) {
    if (i > 0) put([COMMA])
    put(key)
    put(json)
  }
  put([CLOSE])
  return document
}
