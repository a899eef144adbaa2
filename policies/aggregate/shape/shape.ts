import { PartFailure } from '../failure.ts'
import type { PartOptions } from '../options.ts'
import { isMapping, isNull, membersOf } from '../reply/slices.ts'
import { applyEdit, compileEdit } from './edit.ts'

type Json = Uint8Array<ArrayBuffer>

/** Makes of a reply's text what stands in the answer. Throws `PartFailure` when the reply does not have what it takes. */
export type Shape = (json: Json) => Json | Promise<Json>

/** Compiles how a part's reply is changed for the answer; undefined when it stands there as it came. */
export function compileShape(part: PartOptions): Shape | undefined {
  const edit = compileEdit(part)
  const { take, spread } = part
  if (!take && !edit && !spread) return undefined
  return (json) => {
    const taken = take ? valueAt(json, take) : json
    const edited = edit ? applyEdit(taken, edit) : taken
    if (!spread || isMapping(edited) || isNull(edited)) return edited
    throw new PartFailure('shape', { cause: '"spread" needs an object' })
  }
}

function valueAt(json: Json, path: readonly string[]): Json {
  let found = json
  for (const name of path) {
    const value = isMapping(found) ? membersOf(found).get(name) : undefined
    if (value === undefined) throw new PartFailure('shape', { cause: `the reply has no "${path.join('.')}"` })
    found = value
  }
  return found
}
