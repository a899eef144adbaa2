import fc from 'fast-check'

/** Random compositions, and what every upstream does with every call of them. */

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

/** A part, which reads only parts of a lower number, so that there is no cycle. */
export interface PartSpec {
  readonly required: boolean
  readonly reads: readonly Read[]
  readonly when: 'never' | 'always' | { readonly from: number; readonly hasValue: boolean } | undefined
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

export interface Scenario {
  readonly parts: readonly PartSpec[]
  /** Numbers of the parts as they stand in the file. */
  readonly fileOrder: readonly number[]
  readonly totalMs: number
  readonly waitMs: number | undefined
  readonly concurrency: number
  /** What passes before each request. */
  readonly pausesMs: readonly number[]
}

export const CACHE_MS = 7_000
export const STALE_MS = 8_000
export const MAX_BYTES = 400
export const TIGHT_BYTES = 150
export const MOST_ITEMS = 4
export const UNBOUNDED = 1_000
const KEYS = [0, 1, 2, 3]

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

const kinds = fc.constantFrom<FateKind>(
  ...([
    'rich',
    'rich',
    'rich',
    'rich',
    'rich',
    'slow',
    'poor',
    'not-found',
    'no-content',
    'broken',
    'garbage',
  ] as const),
  ...(['page', 'too-large', 'refused', 'hangs', 'stops'] as const),
)

const fate = fc.record({
  kind: kinds,
  afterMs: fc.integer({ min: 1, max: 300 }),
  value: fc.constantFrom('', 'é'),
  items: fc.array(fc.constantFrom(0, 0, 1, 2, 3, null), { maxLength: MOST_ITEMS + 1 }),
})

function partArbitrary(part: number): fc.Arbitrary<PartSpec> {
  const earlier = fc.nat(Math.max(0, part - 1))
  const ifEarlier = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
    part === 0 ? fc.constant(undefined) : arbitrary
  const sometimes = fc.oneof({ weight: 3, arbitrary: fc.constant(false) }, { weight: 1, arbitrary: fc.constant(true) })
  const fates = KEYS.map((key) =>
    fc.tuple(fate, fate).map((pair) =>
      // A bit for each pair of part and key: whatever is added up, two sums differ.
      pair.map((each) => ({ ...each, afterMs: each.afterMs + 2 ** -(1 + part * KEYS.length + key) })),
    ),
  )
  const read = fc.record({ from: earlier, place: fc.constantFrom<Read['place']>('path', 'query', 'headers', 'body') })
  return fc
    .record({
      required: sometimes,
      reads: ifEarlier(fc.array(read, { maxLength: 2 })).map((reads = []) => reads),
      when: fc.oneof(
        { weight: 5, arbitrary: fc.constant(undefined) },
        { weight: 1, arbitrary: fc.constantFrom('never' as const, 'always' as const) },
        { weight: 2, arbitrary: ifEarlier(fc.record({ from: earlier, hasValue: fc.boolean() })) },
      ),
      fallback: fc.constantFrom(undefined, undefined, 'rich' as const, 'poor' as const),
      stale: sometimes,
      cached: sometimes,
      timeoutMs: fc.oneof(fc.constant(undefined), fc.integer({ min: 1, max: 250 })),
      each: ifEarlier(
        fc.option(
          fc.record({
            from: earlier,
            fallback: fc.boolean(),
            atOnce: fc.constantFrom(undefined, undefined, 1, 2),
            batch: fc.constantFrom(undefined, undefined, 2, 3, 50),
            place: fc.constantFrom<Each['place']>('path', 'path', 'query', 'headers'),
          }),
          { nil: undefined, freq: 3 },
        ),
      ),
      succeeds: fc.constantFrom(['2xx'], ['2xx'], ['2xx', 404], ['2xx', 204]),
      passes404: fc.boolean(),
      tight: sometimes,
      fates: fc.tuple(...fates),
    })
    .map(sensible)
}

/** Without what the configuration would be refused for. */
function sensible(part: PartSpec): PartSpec {
  const isKept = methodOf(part) === 'GET'
  const spare = part.required ? { fallback: undefined, stale: false } : {}
  const kept = isKept ? {} : { cached: false, stale: false }
  const plain = { ...part, ...spare, ...kept }
  return {
    ...plain,
    passes404: part.required && part.passes404 && !part.succeeds.includes(404),
    // The moment at which replies are too many together must not depend on what is remembered.
    tight: part.tight && part.each !== undefined && !plain.cached && !plain.stale,
  }
}

/** A scenario of one to five parts; `bounded` for few calls at once, `crowded` for many parts that wait for few places. */
export function scenarios(calls: 'free' | 'bounded' | 'crowded'): fc.Arbitrary<Scenario> {
  return fc.integer({ min: calls === 'crowded' ? 4 : 1, max: 5 }).chain((size) =>
    fc
      .record({
        parts: fc.tuple(...Array.from({ length: size }, (_, part) => partArbitrary(part))),
        fileOrder: fc.shuffledSubarray([...Array(size).keys()], { minLength: size }),
        totalMs: fc.oneof(fc.constant(2_000), fc.integer({ min: 50, max: 600 })),
        waitMs: fc.option(fc.integer({ min: 1, max: 250 }), { nil: undefined, freq: 2 }),
        concurrency:
          calls === 'free' ? fc.constant(UNBOUNDED) : fc.integer({ min: 1, max: calls === 'crowded' ? 2 : 3 }),
        pausesMs: fc.constantFrom([0], [0, 0], [0, 1_500], [0, 2_400]),
      })
      .map((scenario) => ({
        ...scenario,
        waitMs: scenario.parts.every(({ required }) => required) ? undefined : scenario.waitMs,
      })),
  )
}
