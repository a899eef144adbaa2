import { PartFailure } from '../failure.ts'
import { elementsOf, isList, isMapping, isNull, joinElements, joinMembers, membersOf } from '../reply/slices.ts'

type Json = Uint8Array<ArrayBuffer>

/** What becomes of the members of one object. */
export interface Edit {
  /** Undefined: all of them stay. */
  only: Set<string> | undefined
  readonly without: Set<string>
  /** New names by old ones. */
  readonly names: Map<string, string>
  /** Changes further in. */
  readonly within: Map<string, Edit>
}

export interface EditOptions {
  readonly pick?: readonly (readonly string[])[] | undefined
  readonly omit?: readonly (readonly string[])[] | undefined
  readonly rename?: Readonly<Record<string, string>> | undefined
}

/** Compiles `pick`, `omit` and `rename`, all of which speak of the names in the reply; undefined when nothing changes. */
export function compileEdit({ pick, omit, rename }: EditOptions): Edit | undefined {
  if (!pick && !omit && !rename) return undefined
  const root = emptyEdit()
  for (const path of pick ?? []) addPick(root, path)
  for (const path of omit ?? []) lastObject(root, path).without.add(path.at(-1) ?? '')
  for (const [from, to] of Object.entries(rename ?? {})) {
    const path = from.split('.')
    lastObject(root, path).names.set(path.at(-1) ?? '', to)
  }
  return root
}

function emptyEdit(): Edit {
  return { only: undefined, without: new Set(), names: new Map(), within: new Map() }
}

function addPick(root: Edit, path: readonly string[]): void {
  let edit = root
  for (const [i, name] of path.entries()) {
    edit.only ??= new Set()
    edit.only.add(name)
    if (i < path.length - 1) edit = innerOf(edit, name)
  }
}

function lastObject(root: Edit, path: readonly string[]): Edit {
  return path.slice(0, -1).reduce(innerOf, root)
}

function innerOf(edit: Edit, name: string): Edit {
  const inner = edit.within.get(name) ?? emptyEdit()
  edit.within.set(name, inner)
  return inner
}

/**
 * Changes a JSON text by its bytes, so that numbers keep all their digits; of a list each entry. Throws `PartFailure`
 * where names are to be picked of what is neither an object nor null: it would come through whole.
 */
export function applyEdit(json: Json, edit: Edit): Json {
  if (isList(json)) return joinElements(elementsOf(json).map((element) => applyEdit(element, edit)))
  if (isMapping(json)) return editMembers(json, edit)
  if (!edit.only || isNull(json)) return json
  throw new PartFailure('shape', { cause: `"pick" found a value where it needs an object` })
}

function editMembers(json: Json, { only, without, names, within }: Edit): Json {
  const kept: [string, Json][] = []
  const members = membersOf(json)
  const isKept = (name: string) => members.has(name) && !without.has(name) && (!only || only.has(name))
  const replaced = new Set([...names].flatMap(([from, to]) => (isKept(from) ? [to] : [])))
  for (const [name, value] of members) {
    const renamed = names.get(name)
    // A new name that the reply has for something else means the renamed value.
    if (!isKept(name) || (renamed === undefined && replaced.has(name))) continue
    const inner = within.get(name)
    kept.push([renamed ?? name, inner ? applyEdit(value, inner) : value])
  }
  return joinMembers(kept)
}
