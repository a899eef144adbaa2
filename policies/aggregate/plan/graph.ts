import type { OptionMistake } from '../../../gateway/core/policy.ts'
import type { PartOptions } from '../options.ts'
import { inputsOf, partRead, type Reading, readingsOf } from './readings.ts'

type Parts = Readonly<Record<string, PartOptions>>

/** Parts that do not exist, parts that wait for each other, and fields of replies that can never be found. */
export function graphMistakes(parts: Parts): OptionMistake[] {
  const mistakes: OptionMistake[] = []
  for (const [name, part] of Object.entries(parts)) {
    for (const reading of readingsOf(part)) {
      const mistake = readingMistake(reading, parts)
      if (mistake) mistakes.push({ path: ['parts', name, ...reading.path], ...mistake })
    }
  }
  mistakes.push(...afterMistakes(parts))
  const inputs = new Map(Object.entries(parts).map(([name, part]) => [name, inputsOf(part)]))
  for (const cycle of cyclesIn(inputs)) mistakes.push(cycleMistake(cycle, parts))
  return mistakes
}

function afterMistakes(parts: Parts): OptionMistake[] {
  return Object.entries(parts).flatMap(([name, { after = [] }]) =>
    after.flatMap((other, i) =>
      Object.hasOwn(parts, other)
        ? []
        : [
            {
              path: ['parts', name, 'after', i],
              message: `unknown part "${other}"`,
              found: other,
              candidates: Object.keys(parts),
            },
          ],
    ),
  )
}

function readingMistake({ reference }: Reading, parts: Parts): Omit<OptionMistake, 'path'> | undefined {
  const name = partRead(reference)
  if (name === undefined) return undefined
  const { source, path } = reference
  const [, place, field] = path
  if (!Object.hasOwn(parts, name)) {
    return { message: `unknown part "${name}" in "${source}"`, found: name, candidates: Object.keys(parts) }
  }
  if (place !== 'body' && parts[name]?.['for-each']) {
    return { message: `"${source}" has no value: "${name}" is many replies, of which only the body can be read` }
  }
  if (place === 'headers' && field !== undefined && field !== field.toLowerCase()) {
    return {
      message: `header names of replies are in lower case: write "parts.${name}.headers.${field.toLowerCase()}"`,
    }
  }
  return undefined
}

function cycleMistake(cycle: readonly string[], parts: Parts): OptionMistake {
  const [first = '', second = first] = cycle
  const path = ['parts', first, ...placeOfReading(parts[first], second)]
  if (cycle.length === 1) {
    const isRead = path.at(2) !== 'after'
    return { path, message: `"${first}" ${isRead ? 'reads its own reply' : 'waits for itself'}` }
  }
  return { path, message: `parts wait for each other: ${[...cycle, first].join(' reads ')}` }
}

function placeOfReading(part: PartOptions | undefined, input: string): Reading['path'] {
  const readings = part ? readingsOf(part) : []
  const found = readings.find(({ reference }) => partRead(reference) === input)?.path
  return found ?? ['after', part?.after?.indexOf(input) ?? 0]
}

/** One cycle for every way back that a walk in file order finds, from the part it was entered at. */
function cyclesIn(inputs: ReadonlyMap<string, readonly string[]>): string[][] {
  const cycles: string[][] = []
  const finished = new Set<string>()
  const trail: string[] = []
  const walk = (name: string): void => {
    const entered = trail.indexOf(name)
    if (entered >= 0) cycles.push(trail.slice(entered))
    if (entered >= 0 || finished.has(name)) return
    trail.push(name)
    for (const input of inputs.get(name) ?? []) walk(input)
    trail.pop()
    finished.add(name)
  }
  for (const name of inputs.keys()) walk(name)
  return cycles
}
