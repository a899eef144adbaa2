import type { OptionMistake } from '../../../gateway/core/policy.ts'
import type { Template } from '../../../gateway/core/template.ts'

/** What the graph is worked out from: the templates of a part. */
export interface Node {
  readonly path: Template
}

/** Names of the parts a part reads, each once: it starts the moment they are there. */
export function inputsOf({ path }: Node): string[] {
  const names = path.references.filter(({ root }) => root === 'parts').map(({ path: [name = ''] }) => name)
  return [...new Set(names)]
}

/** Parts that do not exist, parts that wait for each other, and fields of replies that can never be found. */
export function graphMistakes(parts: Readonly<Record<string, Node>>): OptionMistake[] {
  const names = Object.keys(parts)
  const inputs = new Map(Object.entries(parts).map(([name, part]) => [name, inputsOf(part)]))
  const mistakes: OptionMistake[] = []
  for (const [name, { path }] of Object.entries(parts)) {
    for (const reference of path.references.filter(({ root }) => root === 'parts')) {
      const mistake = readingMistake(reference, names)
      if (mistake) mistakes.push({ path: ['parts', name, 'path'], ...mistake })
    }
  }
  for (const cycle of cyclesIn(inputs)) mistakes.push(cycleMistake(cycle))
  return mistakes
}

type Reading = Template['references'][number]

function readingMistake({ path, source }: Reading, names: readonly string[]): Omit<OptionMistake, 'path'> | undefined {
  const [part = '', place, field] = path
  if (!names.includes(part)) {
    return { message: `unknown part "${part}" in "${source}"`, found: part, candidates: names }
  }
  if (place === 'headers' && field !== undefined && field !== field.toLowerCase()) {
    return {
      message: `header names of replies are in lower case: write "parts.${part}.headers.${field.toLowerCase()}"`,
    }
  }
  return undefined
}

function cycleMistake(cycle: readonly string[]): OptionMistake {
  const [first = ''] = cycle
  const path = ['parts', first, 'path']
  if (cycle.length === 1) return { path, message: `"${first}" reads its own reply` }
  return { path, message: `parts wait for each other: ${[...cycle, first].join(' reads ')}` }
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
