import fc from 'fast-check'
import {
  type Each,
  type FateKind,
  KEYS,
  type Knowing,
  MOST_ITEMS,
  MOST_VISITS,
  methodOf,
  type OwnRead,
  type PartSpec,
  type Read,
  type Scenario,
  UNBOUNDED,
  type Visit,
} from './test-scenario.ts'

/** Random scenarios. */

/**
 * `free` for calls that never wait, `bounded` for few at once, `crowded` for many parts that wait for few places, and
 * `kept` for parts whose replies are mostly remembered, and requests that differ in little.
 */
export type Drawn = 'free' | 'bounded' | 'crowded' | 'kept'

const GOOD = ['rich', 'rich', 'rich', 'rich', 'rich', 'slow'] as const
const FAILING = ['poor', 'not-found', 'no-content', 'broken', 'garbage'] as const
const STRANGE = ['page', 'too-large', 'refused', 'hangs', 'stops'] as const
const every = fc.constantFrom<FateKind>(...GOOD, ...FAILING, ...STRANGE)
const mostlyGood = fc.constantFrom<FateKind>(...GOOD, ...GOOD, ...GOOD, ...FAILING)

const fate = (kind: fc.Arbitrary<FateKind>) =>
  fc.record({
    kind,
    afterMs: fc.integer({ min: 1, max: 300 }),
    value: fc.constantFrom('', 'é'),
    items: fc.array(fc.constantFrom(0, 0, 1, 2, 3, null), { maxLength: MOST_ITEMS + 1 }),
  })

/** True in so many of four; simplest when false. */
const inFour = (times: number) => fc.nat({ max: 3 }).map((drawn) => drawn >= 4 - times)

const ownRead = fc.record<OwnRead>({
  of: fc.constantFrom('query', 'headers', 'cookies', 'claims'),
  place: fc.constantFrom('path', 'query', 'headers'),
})

function partArbitrary(part: number, drawn: Drawn): fc.Arbitrary<PartSpec> {
  const isKept = drawn === 'kept'
  const earlier = fc.nat(Math.max(0, part - 1))
  const ifEarlier = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
    part === 0 ? fc.constant(undefined) : arbitrary
  const sometimes = inFour(1)
  const each = fate(isKept ? mostlyGood : every)
  const fates = KEYS.map((key) =>
    fc.array(each, { minLength: MOST_VISITS, maxLength: MOST_VISITS }).map((ofKey) =>
      // A bit for each pair of part and key: whatever is added up, two sums differ.
      ofKey.map((each) => ({ ...each, afterMs: each.afterMs + 2 ** -(1 + part * KEYS.length + key) })),
    ),
  )
  const read = fc.record({ from: earlier, place: fc.constantFrom<Read['place']>('path', 'query', 'headers', 'body') })
  return fc
    .record({
      required: sometimes,
      ownRead: fc.option(ownRead, { nil: undefined, freq: isKept ? 3 : 1 }),
      reads: ifEarlier(fc.array(read, { maxLength: isKept ? 1 : 2 })).map((reads = []) => reads),
      after: fc.oneof({ weight: 4, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: ifEarlier(earlier) }),
      when: fc.oneof(
        { weight: isKept ? 12 : 5, arbitrary: fc.constant(undefined) },
        { weight: 1, arbitrary: fc.constantFrom('never' as const, 'always' as const, 'worded' as const) },
        { weight: 2, arbitrary: ifEarlier(fc.record({ from: earlier, hasValue: fc.boolean() })) },
      ),
      fallback: fc.constantFrom(undefined, undefined, 'rich' as const, 'poor' as const),
      stale: sometimes,
      cached: isKept ? inFour(3) : sometimes,
      timeoutMs: isKept ? fc.constant(undefined) : fc.oneof(fc.constant(undefined), fc.integer({ min: 1, max: 250 })),
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

const visit = (pausesMs: readonly number[]) =>
  fc.record<Visit>({
    pauseMs: fc.constantFrom(...pausesMs),
    caller: fc.constantFrom('alice', 'bob'),
    word: fc.constantFrom('a', 'b'),
  })
/** Within the time of what is kept, at its end, or after it. */
const soon = visit([0, 1_500, 2_400])
/** Mostly within it. */
const sooner = visit([0, 0, 900, 2_400])

const SIZES: Readonly<Record<Drawn, { readonly min: number; readonly max: number }>> = {
  free: { min: 1, max: 5 },
  bounded: { min: 1, max: 5 },
  crowded: { min: 4, max: 5 },
  kept: { min: 2, max: 3 },
}
const MOST_AT_ONCE: Readonly<Record<Drawn, number | undefined>> = {
  free: undefined,
  bounded: 3,
  crowded: 2,
  kept: undefined,
}

export function scenarios(drawn: Drawn): fc.Arbitrary<Scenario> {
  const isKept = drawn === 'kept'
  const atOnce = MOST_AT_ONCE[drawn]
  return fc.integer(SIZES[drawn]).chain((size) =>
    fc
      .record({
        parts: fc.tuple(...Array.from({ length: size }, (_, part) => partArbitrary(part, drawn))),
        fileOrder: fc.shuffledSubarray([...Array(size).keys()], { minLength: size }),
        totalMs: fc.oneof(fc.constant(isKept ? 900 : 2_000), fc.integer({ min: isKept ? 300 : 50, max: 600 })),
        waitMs: fc.option(fc.integer({ min: 1, max: 250 }), { nil: undefined, freq: 2 }),
        concurrency: atOnce === undefined ? fc.constant(UNBOUNDED) : fc.integer({ min: 1, max: atOnce }),
        areAlike: isKept ? fc.boolean() : fc.constant(false),
        knowing: fc.constantFrom<Knowing>('addresses', 'names', 'names', 'names and tells'),
        visits: isKept
          ? fc.array(sooner, { minLength: 2, maxLength: MOST_VISITS })
          : fc.array(soon, { minLength: 1, maxLength: 2 }),
      })
      .map(({ areAlike, ...scenario }) => {
        const { parts, knowing, waitMs } = scenario
        const alike = areAlike ? parts.map((part) => alikeTo(part, parts[0])) : parts
        return {
          ...scenario,
          waitMs: parts.every(({ required }) => required) ? undefined : waitMs,
          parts: knowing === 'addresses' ? alike.map(withoutClaims) : alike,
        }
      }),
  )
}

/** With the calls of another that reads no parts. */
function alikeTo(part: PartSpec, other: PartSpec = part): PartSpec {
  return { ...part, reads: [], each: undefined, tight: false, ownRead: other.ownRead }
}

/** Of a caller without a name nothing is claimed. */
function withoutClaims({ ownRead: own, ...part }: PartSpec): PartSpec {
  return { ...part, ownRead: own?.of === 'claims' ? { ...own, of: 'headers' } : own }
}
