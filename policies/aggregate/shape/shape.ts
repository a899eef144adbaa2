import type { Clock } from '../../../gateway/core/clock.ts'
import { PartFailure } from '../failure.ts'
import type { PartOptions } from '../options.ts'
import { isMapping, isNull, membersOf } from '../reply/slices.ts'
import { applyEdit, compileEdit } from './edit.ts'
import { compileTransform } from './transform.ts'

type Json = Uint8Array<ArrayBuffer>

/** Makes of a reply's text what stands in the answer. Throws `PartFailure` when the reply does not have what it takes. */
export type Shape = (json: Json) => Json | Promise<Json>

/** Compiles how a part's reply is changed for the answer; undefined when it stands there as it came. */
export function compileShape(part: PartOptions, clock: Clock): Shape | undefined {
  const edit = compileEdit(part)
  const { take, spread, transform: expression } = part
  if (!take && !edit && !spread && !expression) return undefined
  const shape = (json: Json): Json => {
    const taken = take ? valueAt(json, take) : json
    return edit ? applyEdit(taken, edit) : taken
  }
  const check = spread ? spreadable : (json: Json) => json
  if (!expression) return (json) => check(shape(json))
  const transform = compileTransform(expression, clock)
  const bounds = { maxBytes: part['max-bytes'], fail: (cause: string) => failed(`the transform failed: ${cause}`) }
  return async (json) => check(await transform(shape(json), bounds))
}

function spreadable(json: Json): Json {
  if (isMapping(json) || isNull(json)) return json
  throw failed('"spread" needs an object')
}

function valueAt(json: Json, path: readonly string[]): Json {
  let found = json
  for (const name of path) {
    const value = isMapping(found) ? membersOf(found).get(name) : undefined
    if (value === undefined) throw failed(`the reply has no "${path.join('.')}"`)
    found = value
  }
  return found
}

function failed(cause: string): PartFailure {
  return new PartFailure('shape', { cause })
}
