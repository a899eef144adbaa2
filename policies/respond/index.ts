import { z } from 'zod'
import { headerName, template } from '../../gateway/config/fields.ts'
import { FRAMING_FIELDS } from '../../gateway/core/framing-fields.ts'
import { definePolicy, type OptionMistake } from '../../gateway/core/policy.ts'
import { noteWhole } from '../../gateway/core/read-reply.ts'

const options = z.strictObject({
  status: z.int().min(200).max(599).default(200).describe('Status of the answer'),
  json: z.json().optional().describe('Body as JSON, sent as it stands here; this or "text"'),
  text: template.optional().describe('Body as text, with "{…}" replaced; this or "json"'),
  headers: z.record(headerName, template).default({}).describe('Header fields of the answer, with "{…}" replaced'),
})

type RespondOptions = z.output<typeof options>

/** Answers by itself, without any upstream: a fixed document, a maintenance page, a health answer. */
export default definePolicy({
  name: 'respond',
  at: 'route',
  ends: true,
  options,
  check: (given) => [...bodyMistakes(given), ...headerMistakes(given), ...markupMistakes(given)],

  create({ status, json, text, headers }) {
    const document = json === undefined ? undefined : JSON.stringify(json)
    const type = document === undefined ? 'text/plain; charset=utf-8' : 'application/json'
    const fields = Object.entries(headers)

    return async function respond({ scope }) {
      const body = document ?? text?.text(scope) ?? null
      const answer = noteWhole(new Response(body, { status }))
      if (body !== null) answer.headers.set('content-type', type)
      for (const [name, value] of fields) setUnlessEmpty(answer.headers, name, value.header(scope))
      return answer
    }
  },
})

function setUnlessEmpty(headers: Headers, name: string, value: string): void {
  if (value !== '') headers.set(name, value)
}

/** Statuses that never have a body (RFC 9110 §6.4.1). */
const BODILESS: ReadonlySet<number> = new Set([204, 205, 304])

function bodyMistakes({ status, json, text }: RespondOptions): OptionMistake[] {
  if (json !== undefined && text !== undefined)
    return [{ path: ['text'], message: 'expected "json" or "text", found both' }]
  if (!BODILESS.has(status) || (json === undefined && text === undefined)) return []
  return [{ path: ['status'], message: `an answer with status ${status} has no body: leave out "json" and "text"` }]
}

function headerMistakes({ headers }: RespondOptions): OptionMistake[] {
  return Object.keys(headers)
    .filter((name) => FRAMING_FIELDS.has(name))
    .map((name) => ({ path: ['headers', name], message: `"${name}" is the gateway's to write: leave it out` }))
}

/** In a page that a browser renders, a caller's value could be a script. */
function markupMistakes({ text, headers }: RespondOptions): OptionMistake[] {
  const type = headers['content-type']
  if (!type || !text || text.references.length === 0 || PLAIN.test(type.source)) return []
  return [
    {
      path: ['text'],
      message: 'a page of this type cannot hold "{…}": a caller could put markup there; use text/plain or "json"',
    },
  ]
}

/** Types no browser renders as markup; a type that is itself a template may be anything. */
const PLAIN = /^\s*text\/(?:plain|csv)\s*(?:;[^{}]*)?$/i
