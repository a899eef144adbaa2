import { joined } from '../../../gateway/core/gathered.ts'
import { isComplete } from '../answer/status.ts'
import { type Outcome, textOf } from '../outcome.ts'

type Json = Uint8Array<ArrayBuffer>

/** One part as a line of JSON: what became of it, and what it has to show. */
export function partLine(outcome: Outcome): Json {
  const facts = encode(factsOf(outcome))
  const body = textOf(outcome)
  return body ? joined([facts.subarray(0, -1), BODY, onOneLine(body), CLOSE]) : facts
}

/** The last line: what became of every part, and the problem that ended the answer if one did. */
export function lastLine(outcomes: readonly Outcome[], problem?: object): Json {
  return encode({
    complete: problem === undefined && isComplete(outcomes),
    parts: outcomes.map((outcome) => factsOf(outcome)),
    ...(problem && { problem }),
  })
}

/** What `Composition-Status` says of a part, and the status of its reply. */
function factsOf(outcome: Outcome): object {
  const { part, kind } = outcome
  if (kind === 'skipped') return { part, outcome: kind }
  const age = (kind === 'ok' || kind === 'fallback') && outcome.ageMs !== undefined ? ageOf(outcome.ageMs) : {}
  const dur = kind === 'ok' || kind === 'partial' ? { dur: Math.max(0, Math.round(outcome.durationMs)) } : {}
  const facts = { part, outcome: kind, ...dur, ...age }
  if (kind === 'ok') return { ...facts, ...statusOf(outcome.reply) }
  const { reason, status } = outcome.failure
  return { ...facts, ...(kind === 'partial' && { failed: outcome.failed }), error: reason, ...statusOf({ status }) }
}

function ageOf(ageMs: number) {
  return { age: Math.max(0, Math.floor(ageMs / 1_000)) }
}

function statusOf({ status }: { readonly status?: number | undefined }) {
  return status === undefined ? {} : { status }
}

const LINE_FEED = 0x0a
const CARRIAGE_RETURN = 0x0d
const SPACE = 0x20

/** In valid JSON line breaks stand between tokens only, where a space means the same. */
function onOneLine(json: Json): Json {
  if (!json.includes(LINE_FEED) && !json.includes(CARRIAGE_RETURN)) return json
  return json.map((octet) => (octet === LINE_FEED || octet === CARRIAGE_RETURN ? SPACE : octet))
}

function encode(value: object): Json {
  return new TextEncoder().encode(JSON.stringify(value))
}

const BODY = new TextEncoder().encode(',"body":')
const CLOSE = new TextEncoder().encode('}')
