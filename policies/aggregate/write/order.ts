import type { OptionMistake } from '../../../gateway/core/policy.ts'
import type { AggregateOptions } from '../options.ts'
import { inputsOf } from '../plan/readings.ts'
import { isWrite } from './is-write.ts'

type Parts = AggregateOptions['parts']

/** What the file says of the order of parts, and what it leaves open. */
export interface Order {
  /** Writes of which nothing says which comes first. */
  readonly mistakes: readonly OptionMistake[]
  /** All that are settled before a part is asked, once these mistakes are mended as their messages say. */
  before(name: string): ReadonlySet<string>
  /** False when a part waits for one that does not exist, or in a circle: what it was meant to wait for is not known. */
  isKnown(name: string): boolean
}

/** They are undone in the opposite order, and one that is given up halfway is one of which nobody knows. */
export function orderOf(parts: Parts): Order {
  const inputs = new Map(Object.entries(parts).map(([name, part]) => [name, new Set(inputsOf(part))]))
  const before = (name: string) => reachedFrom(name, inputs)
  const isKnown = (name: string) => [name, ...before(name)].every((each) => inputs.has(each) && !before(each).has(each))

  const ordered: string[] = []
  const mistakes: OptionMistake[] = []
  for (const [name, part] of Object.entries(parts)) {
    if (!isWrite(part) || !isKnown(name)) continue
    const settled = before(name)
    const open = ordered.filter((other) => !settled.has(other) && !before(other).has(name))
    // All others come before the last of them.
    const beforeOthers = new Set(open.flatMap((one) => [...before(one)]))
    const earlier = open.find((one) => !beforeOthers.has(one))
    ordered.push(name)
    if (earlier === undefined) continue
    const message = `"${earlier}" and "${name}" both write, and nothing says which comes first: add "after: [${earlier}]"`
    mistakes.push({ path: ['parts', name], message })
    inputs.get(name)?.add(earlier)
  }
  return { mistakes, before, isKnown }
}

function reachedFrom(name: string, inputs: ReadonlyMap<string, ReadonlySet<string>>): ReadonlySet<string> {
  const reached = new Set(inputs.get(name))
  // A set is walked to its end while it grows.
  for (const one of reached) for (const input of inputs.get(one) ?? []) reached.add(input)
  return reached
}
