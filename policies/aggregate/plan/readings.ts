import type { Reference } from '../../../gateway/core/reference.ts'
import { Template } from '../../../gateway/core/template.ts'
import type { PartOptions } from '../options.ts'

type Place = 'when' | 'for-each' | 'batch' | 'path' | 'query' | 'headers' | 'body'

/** One reference of a part, and where it stands. */
export interface Reading {
  readonly reference: Reference
  readonly place: Place
  /** From the part to the value that holds it. */
  readonly path: readonly (string | number)[]
}

/** Everything a part reads, in the order its options are worked out. */
export function readingsOf(part: PartOptions): Reading[] {
  const readings: Reading[] = []
  const add = (place: Place, value: unknown): void => {
    for (const { reference, path } of referencesIn(value, []))
      readings.push({ reference, place, path: [place, ...path] })
  }
  for (const [i, tests] of [part.when ?? []].flat().entries()) {
    const at = Array.isArray(part.when) ? ['when', i] : ['when']
    for (const [source, { reference }] of Object.entries(tests)) {
      readings.push({ reference, place: 'when', path: [...at, source] })
    }
  }
  add('for-each', part['for-each'])
  add('batch', part.batch)
  add('path', part.path)
  add('query', part.query)
  add('headers', part.headers)
  add('body', part.body)
  return readings
}

/** Names of the parts a part waits for, each once. */
export function inputsOf(part: PartOptions): string[] {
  return [
    ...new Set([...readingsOf(part).flatMap(({ reference }) => partRead(reference) ?? []), ...(part.after ?? [])]),
  ]
}

/** The part a reference reads. */
export function partRead({ root, path }: Reference): string | undefined {
  return root === 'parts' ? path[0] : undefined
}

export interface Located {
  readonly reference: Reference
  readonly path: readonly (string | number)[]
}

/** Every reference of the templates in a value, with the path that leads to it. */
export function* referencesIn(value: unknown, path: readonly (string | number)[]): Generator<Located> {
  if (value instanceof Template) {
    for (const reference of value.references) yield { reference, path }
  } else if (Array.isArray(value)) {
    for (const [i, item] of value.entries()) yield* referencesIn(item, [...path, i])
  } else if (value !== null && typeof value === 'object' && Object.getPrototypeOf(value) === Object.prototype) {
    for (const [key, item] of Object.entries(value)) yield* referencesIn(item, [...path, key])
  }
}
