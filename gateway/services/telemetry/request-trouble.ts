import type { CallRecord, CompositionRecord, PartRecord } from '../../core/record.ts'

/** What the facts of a line about a request, or about the end of a streamed answer, have of it. */
interface Told {
  readonly failure?: string
  readonly calls?: readonly CallRecord[]
}

/** Parts named in one line, the others counted; and the longest cause, in characters. */
const MAX_PARTS = 6
const MAX_CAUSE = 100

/**
 * What was wrong with a request, for a person at a terminal: `  incomplete, stock (fallback): status 500, price: unreachable (ECONNREFUSED)`.
 * What has decided the answer comes first, and what was given up because of it is counted. Empty when nothing was wrong.
 */
export function describeTrouble(facts: Readonly<Record<string, unknown>>, composition: unknown = {}): string {
  const { failure, calls = [] } = facts as Told
  const { failed: parts = [], decidedBy, writes = [] } = composition as Partial<CompositionRecord>
  const told = new Set(parts.map(({ part }) => part))
  const notes = [
    failure ?? (parts.length > 0 ? 'incomplete' : undefined),
    ...describeParts(parts, decidedBy, calls),
    ...describeWrites(writes, calls),
    ...calls.flatMap((call) =>
      call.purpose || (call.part !== undefined && told.has(call.part)) ? [] : describeCall(call),
    ),
  ].filter((note) => note !== undefined)
  return notes.length > 0 ? `  ${notes.join(', ')}` : ''
}

function describeCall({ failure, part, upstream }: CallRecord): string[] {
  return failure === undefined ? [] : [`${part ?? upstream}: ${failure}`]
}

function describeParts(
  parts: readonly PartRecord[],
  decidedBy: string | undefined,
  calls: readonly CallRecord[],
): string[] {
  const weight = ({ part, error }: PartRecord) => (part === decidedBy ? 0 : error === 'input' ? 2 : 1)
  const own = parts.filter(({ error }) => error !== 'cancelled').sort((a, b) => weight(a) - weight(b))
  const named = own.slice(0, MAX_PARTS).map((part) => describePart(part, calls))
  const unnamed = own.length - named.length
  const givenUp = parts.length - own.length
  return [...named, ...(unnamed > 0 ? [`${unnamed} more failed`] : []), ...(givenUp > 0 ? [`${givenUp} given up`] : [])]
}

/** Writes are of interest when not all of them stand; of one that is still to be undone, what its compensation met. */
function describeWrites(writes: NonNullable<CompositionRecord['writes']>, calls: readonly CallRecord[]): string[] {
  if (writes.every(({ outcome }) => outcome === 'done')) return []
  return writes.map(({ part, outcome }) => {
    const tried = outcome === 'undoing' ? calls.findLast((call) => call.part === part && call.purpose) : undefined
    const met = tried?.failure ?? (tried?.status === undefined ? undefined : `status ${tried.status}`)
    return `${part} ${outcome}${met === undefined ? '' : ` (${tried?.purpose}: ${met})`}`
  })
}

/** A connection that failed has its cause with the call. */
function describePart({ part, outcome, error, status, cause }: PartRecord, calls: readonly CallRecord[]): string {
  const why = cause ?? calls.findLast((call) => call.part === part && call.cause !== undefined)?.cause
  const what = status === undefined ? error : `${error} ${status}`
  return `${part}${outcome === 'failed' ? '' : ` (${outcome})`}: ${what}${why === undefined ? '' : ` (${short(why)})`}`
}

function short(text: string): string {
  return text.length > MAX_CAUSE ? `${text.slice(0, MAX_CAUSE - 1)}…` : text
}
