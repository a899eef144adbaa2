import type { Shown } from '../outcome.ts'
import type { Batch } from '../plan/for-each.ts'
import { elementsOf, membersOf } from './slices.ts'

/** What an item is asked by. */
export type Key = string | number

/**
 * What a reply to a call for many keys has for each of them, by the key as text. A key that stands in several entries has
 * the first of them. Undefined when the reply has no such list or mapping.
 */
export function entriesByKey(reply: Shown, keys: readonly Key[], batch: Batch): ReadonlyMap<string, Shown> | undefined {
  const found = within(reply, batch.in)
  if (found === undefined) return undefined
  return batch.join ? fromList(found, batch.join) : fromMapping(found, keys)
}

function fromList({ json, body }: Shown, join: readonly string[]): ReadonlyMap<string, Shown> | undefined {
  if (!Array.isArray(body)) return undefined
  const texts = elementsOf(json)
  const entries = new Map<string, Shown>()
  for (const [i, entry] of body.entries()) {
    const key = dig(entry, join)
    const text = texts[i]
    if (text === undefined || (typeof key !== 'string' && typeof key !== 'number')) continue
    if (!entries.has(String(key))) entries.set(String(key), { json: text, body: entry })
  }
  return entries
}

function fromMapping({ json, body }: Shown, keys: readonly Key[]): ReadonlyMap<string, Shown> | undefined {
  if (!isMapping(body)) return undefined
  const texts = membersOf(json)
  const entries = new Map<string, Shown>()
  for (const key of keys.map(String)) {
    const text = texts.get(key)
    if (text !== undefined) entries.set(key, { json: text, body: body[key] })
  }
  return entries
}

function within(reply: Shown, path: readonly string[]): Shown | undefined {
  let found = reply
  for (const name of path) {
    const { json, body } = found
    const text = isMapping(body) ? membersOf(json).get(name) : undefined
    if (text === undefined || !isMapping(body)) return undefined
    found = { json: text, body: body[name] }
  }
  return found
}

function dig(value: unknown, path: readonly string[]): unknown {
  let current = value
  for (const name of path) {
    if (!isMapping(current) || !Object.hasOwn(current, name)) return undefined
    current = current[name]
  }
  return current
}

function isMapping(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
