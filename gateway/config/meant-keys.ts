import type { DataMistake } from './issues.ts'
import type { Path } from './mistake.ts'

/** A key that a mapping does not have. */
export interface UnknownKey extends DataMistake {
  /** The key that was probably meant, if any is near. */
  readonly meant: string | undefined
}

/** Data with its unknown keys mended. */
export interface MendedData {
  readonly meant: unknown
  /** Where a path of `meant` stands in what was written. */
  written(path: Path): Path
}

/**
 * Gives misspelt keys the names they were meant to have, and leaves other unknown keys out, so that what stands beneath
 * and beside them can be checked. A name that the mapping has already is not given a second time. Paths of `keys` begin
 * with `prefix`; `before` is what earlier keys were mended to.
 */
export function mendKeys(data: unknown, keys: readonly UnknownKey[], prefix: Path, before?: MendedData): MendedData {
  const renamed = new Map<string, string>()
  const meant = mend(data, keys, prefix, renamed)
  const writtenHere = (path: Path): Path =>
    renamed.size === 0 ? path : path.map((step, i) => renamed.get(JSON.stringify(path.slice(0, i + 1))) ?? step)
  return { meant, written: (path) => before?.written(writtenHere(path)) ?? writtenHere(path) }
}

function mend(value: unknown, keys: readonly UnknownKey[], path: Path, renamed: Map<string, string>): unknown {
  if (keys.length === 0 || typeof value !== 'object' || value === null) return value
  const inner = byStep(keys, path.length)
  if (Array.isArray(value)) return value.map((item, i) => mend(item, inner.get(i) ?? [], [...path, i], renamed))
  const names = new Set(Object.keys(value))
  const entries = Object.entries(value).flatMap(([name, item]): [string, unknown][] => {
    const below = inner.get(name) ?? []
    const unknown = below.find((key) => key.path.length === path.length + 1)
    if (!unknown) return [[name, mend(item, below, [...path, name], renamed)]]
    const { meant } = unknown
    if (meant === undefined || names.has(meant)) return []
    names.add(meant)
    renamed.set(JSON.stringify([...path, meant]), name)
    return [[meant, item]]
  })
  return Object.fromEntries(entries)
}

function byStep(keys: readonly UnknownKey[], depth: number): ReadonlyMap<string | number, readonly UnknownKey[]> {
  const groups = new Map<string | number, UnknownKey[]>()
  for (const key of keys) {
    const step = key.path[depth] ?? ''
    groups.set(step, [...(groups.get(step) ?? []), key])
  }
  return groups
}
