import { FRAMING_FIELDS } from '../../gateway/core/framing-fields.ts'
import type { OptionMistake } from '../../gateway/core/policy.ts'

/** Fields by which the gateway tells the upstream about itself, the client and the trace. */
const OWN: ReadonlySet<string> = new Set([
  'forwarded',
  'traceparent',
  'tracestate',
  'via',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-proto',
  'x-request-id',
])

interface Edits {
  readonly set: Readonly<Record<string, unknown>>
  readonly remove: readonly string[]
}

/** True for fields that no configuration changes. */
export function isProtected(name: string): boolean {
  return FRAMING_FIELDS.has(name) || OWN.has(name)
}

/** A mistake for every protected field that is named. */
export function protectedMistakes(options: { readonly request: Edits; readonly response: Edits }): OptionMistake[] {
  return (['request', 'response'] as const).flatMap((side) => {
    const { set, remove } = options[side]
    return [
      ...Object.keys(set).flatMap((name) => mistakeAt([side, 'set', name], name)),
      ...remove.flatMap((name, i) => mistakeAt([side, 'remove', i], name)),
    ]
  })
}

function mistakeAt(path: OptionMistake['path'], name: string): OptionMistake[] {
  if (FRAMING_FIELDS.has(name)) return [{ path, message: `"${name}" frames the message and cannot be changed` }]
  return OWN.has(name) ? [{ path, message: `"${name}" is set by the gateway itself and cannot be changed` }] : []
}
