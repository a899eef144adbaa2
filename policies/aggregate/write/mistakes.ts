import { FRAMING_FIELDS } from '../../../gateway/core/framing-fields.ts'
import type { OptionMistake, Site } from '../../../gateway/core/policy.ts'
import type { AggregateOptions, PartOptions } from '../options.ts'
import { referencesIn } from '../plan/readings.ts'
import { isWrite } from './is-write.ts'
import type { WrittenCompensation } from './options.ts'
import { type Order, orderOf } from './order.ts'

type Parts = AggregateOptions['parts']

/** Writes that nobody could undo, or whose order nobody has said. */
export function writeMistakes(settings: AggregateOptions, { upstreams, methods = [] }: Site): OptionMistake[] {
  const { parts } = settings
  const order = orderOf(parts)
  const ofParts = Object.entries(parts).flatMap(([name, part]) =>
    [
      ...partMistakes(part).map((mistake) => ({ ...mistake, within: ['parts', name] })),
      ...compensationMistakes(name, part, { parts, order, upstreams }),
    ].map((mistake) => ({ ...mistake, path: ['parts', name, ...mistake.path] })),
  )
  const hasWrites = Object.values(parts).some(isWrite)
  const unsent = hasWrites && settings.stream
  return [
    ...ofParts,
    ...order.mistakes,
    ...methodMistakes(parts, methods),
    ...(unsent
      ? [{ path: ['stream'], message: 'cannot be: what was sent of a composition that writes cannot be taken back' }]
      : []),
  ]
}

function partMistakes(part: PartOptions): OptionMistake[] {
  const { method, safe, compensate } = part
  const mistakes: OptionMistake[] = []
  if (safe && method !== 'POST') {
    const why = method === 'GET' ? 'a GET is safe anyway' : `a ${method} always changes something`
    mistakes.push({ path: ['safe'], message: `is for POST only: ${why}` })
  }
  if (!isWrite(part)) {
    if (compensate !== undefined)
      mistakes.push({ path: ['compensate'], message: 'is never used: the part changes nothing' })
    return mistakes
  }
  if (compensate === undefined) {
    const search = method === 'POST' ? ', or "safe: true" if it changes nothing' : ''
    const message = `a ${method} changes something: say how it is undone in "compensate", or "compensate: none" if it cannot be${search}`
    mistakes.push({ path: ['method'], message })
  }
  if (part['for-each']) {
    mistakes.push({ path: ['for-each'], message: 'cannot be with a write: make one call that takes the list' })
  }
  if (Object.hasOwn(part.headers, KEY)) mistakes.push({ path: ['headers', KEY], message: OWN_KEY })
  return mistakes
}

/** Browsers prefetch these methods, caches and crawlers ask with them, and any page can have them sent (RFC 9110 §9.2.1). */
const SAFE: readonly string[] = ['GET', 'HEAD', 'OPTIONS']

/** What has to be undone must not be done for who only looks. A write that nothing undoes may be a note of the visit. */
function methodMistakes(parts: Parts, methods: readonly string[]): OptionMistake[] {
  const safe = methods.find((method) => SAFE.includes(method))
  const [name] = Object.entries(parts).find(([, part]) => isWrite(part) && isUndone(part)) ?? []
  if (safe === undefined || name === undefined) return []
  const message = `a ${safe} of the route would do this too: name its methods without ${SAFE.join(', ')}, as in "methods: [POST]"`
  return [{ path: ['parts', name, 'method'], message }]
}

function isUndone({ compensate }: PartOptions): boolean {
  return compensate !== undefined && compensate !== 'none'
}

const KEY = 'idempotency-key'
const OWN_KEY = `"${KEY}" of a write is the gateway's to make: leave it out`

interface Surroundings {
  readonly parts: Parts
  readonly order: Order
  readonly upstreams: readonly string[]
}

function compensationMistakes(name: string, part: PartOptions, around: Surroundings): OptionMistake[] {
  const { compensate } = part
  if (compensate === undefined || compensate === 'none') return []
  const { upstream, headers } = compensate
  const mistakes: OptionMistake[] = []
  if (upstream !== undefined && !around.upstreams.includes(upstream)) {
    const message = `unknown upstream "${upstream}"`
    mistakes.push({ path: ['compensate', 'upstream'], message, found: upstream, candidates: around.upstreams })
  }
  for (const field of Object.keys(headers)) {
    const isOurs = FRAMING_FIELDS.has(field) || field === KEY
    if (isOurs)
      mistakes.push({
        path: ['compensate', 'headers', field],
        message: `"${field}" is the gateway's to write: leave it out`,
      })
  }
  for (const { reference, path } of readingsOf(compensate)) {
    const mistake = readingMistake(name, part, reference.source, around)
    if (mistake) mistakes.push({ path: ['compensate', ...path], ...mistake })
  }
  return mistakes
}

/** Everything a compensation reads, and where. */
export function readingsOf({ path, query, headers, body }: WrittenCompensation) {
  return [...referencesIn({ path, query, headers, ...(body === undefined ? {} : { body }) }, [])]
}

function readingMistake(
  name: string,
  { as, compensate }: PartOptions,
  source: string,
  { parts, order }: Surroundings,
): Omit<OptionMistake, 'path'> | undefined {
  const [root = '', read = '', place] = source.split('.')
  if (LOCAL.has(root)) return { message: `"${source}" has no value here` }
  if (root !== 'parts') return undefined
  if (!Object.hasOwn(parts, read)) {
    return { message: `unknown part "${read}" in "${source}"`, found: read, candidates: Object.keys(parts) }
  }
  if (read !== name) {
    if (!order.isKnown(name) || order.before(name).has(read)) return undefined
    return { message: `"${source}" may not be there yet: name "${read}" in "after"` }
  }
  if (typeof compensate === 'object' && compensate['when-unknown'] === 'compensate') {
    const message = `"${source}" is not there when nobody knows whether the write was done: use {write.key}, or ask again`
    return { message }
  }
  if (place !== 'body' || as === 'json') return undefined
  return { message: `"${source}" must be JSON to be read when the write is made again` }
}

const LOCAL: ReadonlySet<string> = new Set(['item', 'index', 'keys', 'composition'])

/** `{write.key}` anywhere but in a compensation. */
export function keyMistakes({ parts, body }: AggregateOptions): OptionMistake[] {
  const ofParts = Object.entries(parts).flatMap(([name, { compensate: _, ...part }]) => [
    ...referencesIn(part, ['parts', name]),
  ])
  const ofBody = body === undefined ? [] : [...referencesIn(body, ['body'])]
  return [...ofParts, ...ofBody]
    .filter(({ reference }) => reference.root === 'write')
    .map(({ path, reference }) => ({
      path: [...path],
      within: [...path],
      message: `"${reference.source}" has a value in "compensate" only`,
    }))
}
