import type { z } from 'zod'
import type { Path } from './mistake.ts'

/** What a schema makes of data without the values it refuses. */
export interface RightValues<Value> {
  readonly value: Value
  /** Where something was left out, or something else stands in for what must be there. */
  readonly without: readonly Path[]
}

/** Most wrong values; who has more of them has enough to mend. */
const MOST_WRONG = 100
/** Leaving a value out can make another one wrong, and what stands in can be refused: at most so many times. */
const MOST_PASSES = 32

/** What can stand in for a value that must be there, tried in this order; none of it refers to anything. */
const STAND_INS: readonly unknown[] = ['/', 'x', '1s', 1, [], {}]

/** Leaves out what is wrong, and as little else as can be; undefined when nothing would be left. */
export function rightValues<Schema extends z.ZodType>(
  schema: Schema,
  data: unknown,
): RightValues<z.output<Schema>> | undefined {
  /** By place, how many values have been tried there. */
  const tried = new Map<string, number>()
  const without: Path[] = []
  let right = data
  for (let pass = 1; pass <= MOST_PASSES; pass++) {
    const { success, data: value, error } = schema.safeParse(right)
    if (success) return { value, without }
    const wrong = new Map(
      error.issues.map(({ path }) => placeOf(right, path)).map((path) => [JSON.stringify(path), path]),
    )
    if (wrong.size > MOST_WRONG) return undefined
    const edits: Edit[] = []
    for (const [key, path] of wrong) {
      const turn = tried.get(key) ?? (isThere(right, path) ? -1 : 0)
      tried.set(key, turn + 1)
      // When nothing can stand in, what needs it is left out.
      const edit =
        turn < STAND_INS.length ? { path, item: STAND_INS[turn] } : { path: path.slice(0, -1), item: undefined }
      if (edit.path.length === 0) return undefined
      edits.push(edit)
    }
    without.push(...edits.map(({ path }) => path))
    right = change(right, edits, 0)
  }
  return undefined
}

/** Where a value is put, or left out when it is undefined. */
interface Edit {
  readonly path: Path
  readonly item: unknown
}

/** What is wrong at `path`: the key itself, or the whole list around it, of which no other entry may get another place. */
function placeOf(data: unknown, path: readonly PropertyKey[]): Path {
  const steps = path.map((step) => (typeof step === 'number' ? step : String(step)))
  let value = data
  for (const [depth, step] of steps.entries()) {
    if (!isMapping(value)) return steps.slice(0, depth)
    value = value[step]
  }
  return steps
}

function isThere(data: unknown, path: Path): boolean {
  let value = data
  for (const step of path) {
    if (!isMapping(value) || !Object.hasOwn(value, step)) return false
    value = value[step]
  }
  return true
}

function change(value: unknown, edits: readonly Edit[], depth: number): unknown {
  if (!isMapping(value)) return value
  const entries = new Map(Object.entries(value))
  for (const [key, inner] of Map.groupBy(edits, ({ path }) => String(path[depth]))) {
    const own = inner.find(({ path }) => path.length === depth + 1)
    if (!own) entries.set(key, change(entries.get(key), inner, depth + 1))
    else if (own.item === undefined) entries.delete(key)
    else entries.set(key, own.item)
  }
  return Object.fromEntries(entries)
}

function isMapping(value: unknown): value is Readonly<Record<string | number, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
