import { extendScope, type Scope } from '../../../gateway/core/scope.ts'
import { PartFailure } from '../failure.ts'
import type { Batch, ForEach } from '../plan/for-each.ts'
import type { Part } from '../plan/part.ts'
import { MAX_BODY_LENGTH, type PartRequest, TooLong } from '../plan/request.ts'
import type { Key } from '../reply/join.ts'
import { render } from './ask.ts'

/** One call for some items of a list, by their positions. */
export interface ItemCall {
  readonly request: PartRequest
  readonly positions: readonly number[]
  /** By position, what each is asked by, in a call for many. */
  readonly keys?: ReadonlyMap<number, Key>
}

/** The calls a list needs, and the items that cannot be asked for. */
export interface ItemCalls {
  readonly calls: readonly ItemCall[]
  readonly unasked: ReadonlyMap<number, PartFailure>
}

/** The list to ask for, or why it is none. */
export function readList({ list, source, atMost, isClients }: ForEach, scope: Scope): readonly unknown[] | PartFailure {
  const items = list(scope)
  const code = isClients ? ({ code: 'invalid-request' } as const) : {}
  if (!Array.isArray(items)) {
    const cause = `"${source}" is no list`
    return new PartFailure('input', { ...code, cause, ...(isClients && { detail: cause }) })
  }
  if (items.length <= atMost) return items
  const cause = `"${source}" has ${items.length} items where at most ${atMost} are allowed`
  return new PartFailure('too-many', { ...code, cause, ...(isClients && { detail: cause }) })
}

/** Most that the calls for one list may have together, in characters: one value of a client may stand in each of them. */
const MAX_LIST_LENGTH = 32 * MAX_BODY_LENGTH

/** Words the calls for all items: one for each that differs, or one for many keys; or says why that is too much. */
export function callsFor(part: Part, each: ForEach, items: readonly unknown[], scope: Scope): ItemCalls | PartFailure {
  let left = MAX_LIST_LENGTH
  const word = (item: Scope) => {
    const request = render(part, item)
    left -= lengthOf(request)
    if (left >= 0) return request
    throw new PartFailure('input', { cause: `its calls would have more than ${MAX_LIST_LENGTH} characters together` })
  }
  try {
    return each.batch ? batchedCalls(word, each.batch, items, scope) : singleCalls(word, items, scope)
  } catch (error) {
    if (error instanceof PartFailure) return error
    throw error
  }
}

type Word = (scope: Scope) => PartRequest | PartFailure

/** Of a call that is too long itself, at least what was put together for it. */
function lengthOf(request: PartRequest | PartFailure): number {
  if (request instanceof PartFailure) return request instanceof TooLong ? MAX_BODY_LENGTH : 0
  const { path, fields, body = '' } = request
  return fields.reduce((sum, [, value]) => sum + value.length, path.length + body.length)
}

function singleCalls(word: Word, items: readonly unknown[], scope: Scope): ItemCalls {
  const calls = new Map<string, { readonly request: PartRequest; readonly positions: number[] }>()
  const unasked = new Map<number, PartFailure>()
  for (let index = 0; index < items.length; index++) {
    const request = word(extendScope(scope, { item: items[index], index }))
    if (request instanceof PartFailure) {
      unasked.set(index, request)
      continue
    }
    // Two equal calls that may change something are two changes.
    const key = request.method === 'GET' ? JSON.stringify([request.path, request.fields]) : String(index)
    const same = calls.get(key)
    if (same) same.positions.push(index)
    else calls.set(key, { request, positions: [index] })
  }
  return { calls: [...calls.values()], unasked }
}

function batchedCalls(word: Word, batch: Batch, items: readonly unknown[], scope: Scope): ItemCalls {
  const unasked = new Map<number, PartFailure>()
  const byKey = new Map<string, { readonly key: Key; readonly positions: number[] }>()
  for (let index = 0; index < items.length; index++) {
    const key = batch.key(extendScope(scope, { item: items[index], index }))
    if (!isKey(key, batch)) {
      unasked.set(index, new PartFailure('input', { cause: `item ${index} has no usable key` }))
      continue
    }
    const same = byKey.get(String(key))
    if (same) same.positions.push(index)
    else byKey.set(String(key), { key, positions: [index] })
  }
  const calls: ItemCall[] = []
  const wanted = [...byKey.values()]
  for (let start = 0; start < wanted.length; start += batch.atMost) {
    const chunk = wanted.slice(start, start + batch.atMost)
    const keys = new Map(chunk.flatMap(({ key, positions }) => positions.map((position) => [position, key] as const)))
    const request = word(extendScope(scope, { keys: chunk.map(({ key }) => key) }))
    if (request instanceof PartFailure) for (const position of keys.keys()) unasked.set(position, request)
    else calls.push({ request, positions: [...keys.keys()], keys })
  }
  return { calls, unasked }
}

function isKey(key: unknown, { hasCommas }: Batch): key is Key {
  if (typeof key === 'number') return Number.isSafeInteger(key)
  return typeof key === 'string' && key !== '' && !(hasCommas && key.includes(','))
}
