/** Compositions, what every upstream does with every call of them, and what the client asks. */

/** What an upstream does with a call. */
export type FateKind =
  | 'rich' // a document that has everything others read
  | 'slow' // the same, with its head long before its end
  | 'poor' // a document that has nothing others read
  | 'not-found' // 404, with a document
  | 'no-content' // 204
  | 'broken' // 500
  | 'garbage' // text that is no JSON
  | 'page' // HTML
  | 'too-large'
  | 'refused' // no connection
  | 'hangs' // nothing at all, ever
  | 'stops' // a head, and then nothing

export interface Fate {
  readonly kind: FateKind
  /** From the start of the call to its end, in milliseconds; no two sums of these are equal. */
  readonly afterMs: number
  /** Of what a good reply says, what differs from one to the next. */
  readonly value: string
  /** The list in a good reply; null is an item that cannot be asked for. */
  readonly items: readonly (number | null)[]
}

/** A reading of `parts.<from>.body.v`. */
export interface Read {
  readonly from: number
  readonly place: 'path' | 'query' | 'headers' | 'body'
}

/** A reading of the word that the client sends, in one of the ways in which it sends it. */
export interface OwnRead {
  readonly of: 'query' | 'headers' | 'cookies' | 'claims'
  readonly place: 'path' | 'query' | 'headers'
}

/** A part, which reads only parts of a lower number, so that there is no cycle. */
export interface PartSpec {
  readonly required: boolean
  readonly reads: readonly Read[]
  readonly ownRead: OwnRead | undefined
  /** A part it comes after, of which it reads nothing. */
  readonly after: number | undefined
  /** `worded` for a certain word of the client. */
  readonly when: 'never' | 'always' | 'worded' | { readonly from: number; readonly hasValue: boolean } | undefined
  readonly fallback: 'rich' | 'poor' | undefined
  readonly stale: boolean
  readonly cached: boolean
  readonly timeoutMs: number | undefined
  /** Asks for each of `parts.<from>.body.items`. */
  readonly each: Each | undefined
  readonly succeeds: readonly (string | number)[]
  readonly passes404: boolean
  /** Whether replies may only be small together. */
  readonly tight: boolean
  /** By the key of the item, and by the number of the request. */
  readonly fates: readonly (readonly Fate[])[]
}

export interface Each {
  readonly from: number
  readonly fallback: boolean
  readonly atOnce: number | undefined
  /** Most keys of one call; undefined for a call for each item. */
  readonly batch: number | undefined
  /** Where a call for one item has it; in a path it is needed. */
  readonly place: 'path' | 'query' | 'headers'
}

/** Whether an item without a value can be asked for. */
export const needsItem = ({ batch, place }: Each) => batch !== undefined || place === 'path'

/** One request of the client. */
export interface Visit {
  /** What passes before it. */
  readonly pauseMs: number
  readonly caller: Caller
  readonly word: Word
}

export type Caller = 'alice' | 'bob'
export type Word = 'a' | 'b'
/** Of the parts whose condition is a word. */
export const THE_WORD: Word = 'a'

/** What the gateway knows of its callers: their names, and whether it tells upstreams; else their addresses only. */
export type Knowing = 'addresses' | 'names' | 'names and tells'

export interface Scenario {
  readonly parts: readonly PartSpec[]
  /** Numbers of the parts as they stand in the file. */
  readonly fileOrder: readonly number[]
  readonly totalMs: number
  readonly waitMs: number | undefined
  readonly concurrency: number
  readonly knowing: Knowing
  readonly visits: readonly Visit[]
}

export const CACHE_MS = 7_000
export const STALE_MS = 8_000
export const MAX_BYTES = 400
export const TIGHT_BYTES = 150
export const MOST_ITEMS = 4
export const UNBOUNDED = 1_000
/** Most requests of a scenario. */
export const MOST_VISITS = 3
export const KEYS = [0, 1, 2, 3]

export const nameOf = (part: number) => `p${part}`
export const methodOf = ({ reads }: PartSpec) => (reads.some(({ place }) => place === 'body') ? 'POST' : 'GET')

/** What a good reply to a call for one thing says. */
export function richText(part: number, key: number, { value, items }: Fate): string {
  return `{"v":"${nameOf(part)} ${key}/${value}","n":1234567890123456789012.10,"items":${JSON.stringify(items)}}`
}
export const POOR_TEXT = '{"n":1}'
/** Of a reply for many: there is nothing about the last key. */
export function hitText(part: number, key: number): string | undefined {
  return key === KEYS.at(-1) ? undefined : `{"k":${key}, "v":"${nameOf(part)} of ${key}"}`
}
export const FALLBACKS = { rich: { v: 'instead', items: [1, 3, 1] }, poor: null } as const
export const ITEM_FALLBACK = 'none'
