import type { OptionMistake } from '../../../gateway/core/policy.ts'
import type { AggregateOptions, PartOptions } from '../options.ts'

/** Options of a part's shape that change nothing or contradict each other. */
export function shapeMistakes({ parts }: AggregateOptions): OptionMistake[] {
  return Object.entries(parts).flatMap(([name, part]) =>
    [...pickMistakes(part), ...omitMistakes(part), ...renameMistakes(part), ...fallbackMistakes(part)].map(
      (mistake) => ({ ...mistake, path: ['parts', name, ...mistake.path], within: ['parts', name] }),
    ),
  )
}

type Path = readonly string[]

function pickMistakes({ pick = [] }: PartOptions): OptionMistake[] {
  return pick.flatMap((path, i) => {
    const wider = pick.find((other, j) => j !== i && leadsTo(other, path) && (other.length < path.length || j < i))
    if (!wider) return []
    return [{ path: ['pick', i], message: `is picked already: "${shown(wider)}" brings it` }]
  })
}

function omitMistakes({ pick, omit = [] }: PartOptions): OptionMistake[] {
  return omit.flatMap((path, i) => {
    const wider = omit.find((other, j) => j !== i && leadsTo(other, path) && (other.length < path.length || j < i))
    const message = wider ? `is left out already, with "${shown(wider)}"` : unpicked(path, pick)
    return message === undefined ? [] : [{ path: ['omit', i], message }]
  })
}

function renameMistakes({ pick, omit = [], rename = {} }: PartOptions): OptionMistake[] {
  const places = new Set<string>()
  return Object.entries(rename).flatMap(([from, to]) => {
    const path = from.split('.')
    const target = [...path.slice(0, -1), to].join('.')
    const left = omit.find((other) => leadsTo(other, path))
    const message = path.includes('')
      ? 'expected a name, or dotted names as in "data.items"'
      : from === target
        ? 'is its name already'
        : places.has(target)
          ? `two values would be "${target}"`
          : left
            ? `is left out, by "omit" of "${shown(left)}"`
            : unpicked(path, pick)
    places.add(target)
    return message === undefined ? [] : [{ path: ['rename', from], message }]
  })
}

/** What is not picked, in whole or in part, is not there to be changed. */
function unpicked(path: Path, pick: readonly Path[] | undefined): string | undefined {
  if (!pick || pick.some((picked) => leadsTo(picked, path) || leadsTo(path, picked))) return undefined
  return 'is never there: "pick" does not name it'
}

function leadsTo(outer: Path, inner: Path): boolean {
  return outer.length <= inner.length && outer.every((name, i) => name === inner[i])
}

function shown(path: Path): string {
  return path.join('.')
}

function fallbackMistakes({ spread, fallback }: PartOptions): OptionMistake[] {
  if (!spread || !fallback || fallback.body === null) return []
  if (typeof fallback.body === 'object' && !Array.isArray(fallback.body)) return []
  return [{ path: ['fallback'], message: 'expected a mapping: "spread" gives its members to the answer' }]
}
