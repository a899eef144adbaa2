import { nameOf, type PartSpec, type Scenario } from './test-scenario.ts'

/** What the README says of whose a reply is. */

const READS_CALLER: ReadonlySet<string> = new Set(['headers', 'cookies', 'claims'])

/** Parts whose values a call is made of, in the order they stand in. */
export function inputsOf({ each, reads }: PartSpec): number[] {
  const places = ['path', 'query', 'headers', 'body'] as const
  const inOrder = places.flatMap((place) => reads.filter((read) => read.place === place).map(({ from }) => from))
  return [...(each ? [each.from] : []), ...inOrder]
}

/** Those and the part it comes after. */
export function predecessorsOf(part: PartSpec): number[] {
  return [...inputsOf(part), ...(part.after === undefined ? [] : [part.after])]
}

/** Whether a part reads something that is the caller's, by itself. */
export function readsCaller({ ownRead, when }: PartSpec): boolean {
  return when === 'worded' || (ownRead !== undefined && READS_CALLER.has(ownRead.of))
}

/** What a reply is kept by: who gave it, what it answered, and the caller where it is for one alone. */
export function keptBy(scenario: Scenario, { part, asks, round }: Kept): string {
  const isForOne = scenario.knowing === 'names and tells' || isPersonal(scenario.parts, part)
  return `${nameOf(part)} for ${isForOne ? scenario.visits[round]?.caller : 'anybody'}: ${asks}`
}

interface Kept {
  readonly part: number
  readonly asks: string
  /** Which request of the scenario it is. */
  readonly round: number
}

/** Whether a part reads the caller, or waits for a part that does. */
function isPersonal(parts: readonly PartSpec[], number: number): boolean {
  const part = parts[number]
  if (!part) return false
  const gate = typeof part.when === 'object' ? [part.when.from] : []
  return readsCaller(part) || [...predecessorsOf(part), ...gate].some((from) => isPersonal(parts, from))
}
