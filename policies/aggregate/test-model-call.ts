import {
  type Fate,
  hitText,
  MAX_BYTES,
  methodOf,
  nameOf,
  needsItem,
  type PartSpec,
  POOR_TEXT,
  richText,
  TIGHT_BYTES,
  type Word,
} from './test-scenario.ts'

/** What a call asks for, and what its upstream makes of it, by the rules of the README. */

/** Why something has no reply, and the status that answers for it where it was required. */
export interface Failure {
  readonly error: string
  readonly answer: number
  readonly status?: number
}

/** What stands in the answer. */
export interface Shown {
  readonly text: string
  /** Of a remembered reply. */
  readonly ageMs?: number
  /** The entries of a reply for many keys. */
  readonly hits?: readonly string[]
}

export type Result = Shown | Failure

export const hasFailed = (result: Result): result is Failure => 'error' in result

/** The end of everything: the time is up, nobody waits any more, or a required part has failed. */
export interface Cut {
  readonly atMs: number
  readonly failure: Failure
}

/** A member of the document that a part shows. */
export function memberOf(shown: Shown | undefined, name: 'v' | 'items'): unknown {
  const body: unknown = shown && JSON.parse(shown.text)
  return typeof body === 'object' && body !== null && name in body ? (body as Record<string, unknown>)[name] : undefined
}

/** What a call is made of: what other parts show, what the client says, and what it asks for of a list. */
export interface Sources {
  readonly read: (from: number) => Shown | undefined
  readonly word: Word
  readonly keys?: readonly (number | null)[]
}

/** Method, path, fields and body; undefined when the path lacks a value. */
export function requestOf(part: PartSpec, { read, word, keys }: Sources): string | undefined {
  const at = (place: string) =>
    part.reads.filter((each) => each.place === place).map(({ from }) => memberOf(read(from), 'v'))
  const own = (place: string) => (part.ownRead?.place === place ? [['ro', word] as const] : [])
  const segments = ['get', ...own('path').map(([, said]) => said), ...at('path')]
  const single = keys && part.each?.batch === undefined ? part.each?.place : undefined
  const item = keys?.[0] ?? undefined
  if (single === 'path') segments.push(item)
  if (segments.some((segment) => segment === undefined)) return undefined
  const given = (place: string) =>
    at(place).flatMap((value, i) => (value === undefined ? [] : [[`r${i}`, value] as const]))
  const placed = (place: string) => (single === place && item !== undefined ? [['ri', item] as const] : [])
  const query = [
    ...(part.each?.batch === undefined ? [] : [`ids=${keys?.join(',')}`]),
    ...[...given('query'), ...placed('query'), ...own('query')].map(
      ([name, value]) => `${name}=${encodeURIComponent(String(value))}`,
    ),
  ]
  const path = `/${segments.map((segment) => encodeURIComponent(String(segment))).join('/')}`
  const body = methodOf(part) === 'POST' ? JSON.stringify({ told: Object.fromEntries(given('body')) }) : ''
  const fields = [...given('headers'), ...placed('headers'), ...own('headers')].map(
    ([name, value]) => `${name}: ${value}`,
  )
  return [methodOf(part), query.length > 0 ? `${path}?${query.join('&')}` : path, ...fields, body].join(' ')
}

/** A call, and the positions of the items it is for. */
export interface Wanted {
  readonly key: number
  readonly asks: string
  readonly positions: readonly number[]
  readonly keys?: readonly (number | null)[]
}

/** One call for each item that differs, or for some keys that differ; undefined when none can be worded. */
export function wordEach(part: PartSpec, items: readonly unknown[], sources: Sources): Wanted[] | undefined {
  const batch = part.each?.batch
  const known = [...items.entries()].filter(([, item]) => item !== null || !(part.each && needsItem(part.each)))
  const isSame = (a: unknown, b: unknown) => a === b && (batch !== undefined || methodOf(part) === 'GET')
  const groups = known
    .filter(([i, item]) => !known.some(([j, other]) => j < i && isSame(other, item)))
    .map(([i, item]) => ({
      item,
      positions: known.flatMap(([j, other]) => (j === i || isSame(other, item) ? [j] : [])),
    }))
  const size = batch ?? 1
  const chunks = Array.from({ length: Math.ceil(groups.length / size) }, (_, n) =>
    groups.slice(n * size, (n + 1) * size),
  )
  const worded = chunks.map((chunk) => {
    const keys = chunk.map(({ item }) => (item === null ? null : Number(item)))
    const asks = requestOf(part, { ...sources, keys })
    return { key: keys[0] ?? 0, asks: asks ?? '', positions: chunk.flatMap(({ positions }) => positions), keys }
  })
  return worded.some(({ asks }) => asks === '') ? undefined : worded
}

/** What the upstream answers, and after how long. */
export function replyOf(
  part: PartSpec,
  number: number,
  { key, keys }: { readonly key: number; readonly keys?: readonly (number | null)[] },
  fate: Fate | undefined,
): { readonly afterMs: number; readonly result: Result } {
  if (!fate) throw new Error(`No fate for ${nameOf(number)}`)
  const { kind, afterMs } = fate
  const isBatch = part.each?.batch !== undefined
  const hits = isBatch ? (keys ?? []).flatMap((id) => (id === null ? [] : (hitText(number, id) ?? []))) : []
  const good: Shown = isBatch ? { text: '', hits } : { text: richText(number, key, fate) }
  const invalid: Failure = { error: 'invalid-response', answer: 502 }
  const refused = (status: number): Failure => ({ error: 'status', status, answer: 502 })
  const results: Readonly<Record<Fate['kind'], Result>> = {
    rich: good,
    slow: good,
    poor: { text: POOR_TEXT },
    'not-found': part.succeeds.includes(404) ? good : { ...refused(404), ...(part.passes404 && { answer: 404 }) },
    'no-content': part.succeeds.includes(204) ? { text: 'null' } : invalid,
    broken: refused(500),
    garbage: invalid,
    page: invalid,
    'too-large': { error: 'too-large', answer: 502 },
    refused: { error: 'unreachable', answer: 502 },
    hangs: invalid,
    stops: invalid,
  }
  return { afterMs: kind === 'hangs' || kind === 'stops' ? Number.POSITIVE_INFINITY : afterMs, result: results[kind] }
}

/** What a reply has for an item: all of it, or of a batch the entry with its key. */
export function entryFor(result: Result, batch: number | undefined, item: unknown): Result {
  if (batch === undefined || hasFailed(result)) return result
  const text = result.hits?.find((hit) => (JSON.parse(hit) as { readonly k: number }).k === item)
  return text === undefined ? { error: 'invalid-response', answer: 502 } : { text }
}

/** Whether the texts of a list are more together than the part allows. */
export function areTooMuch(texts: readonly (string | undefined)[], { tight }: PartSpec): boolean {
  return new TextEncoder().encode(texts.join('')).byteLength > (tight ? TIGHT_BYTES : 3 * MAX_BYTES)
}

/** As they end; what was given up at the end of another comes after it. */
export function inOrder<Call extends { readonly endMs: number; readonly result: Result }>(
  calls: readonly Call[],
): Call[] {
  const isGivenUp = ({ result }: Call) => Number(hasFailed(result) && result.error === 'cancelled')
  return [...calls].sort((a, b) => a.endMs - b.endMs || isGivenUp(a) - isGivenUp(b))
}
