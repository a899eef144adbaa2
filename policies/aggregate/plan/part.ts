import type { Clock } from '../../../gateway/core/clock.ts'
import type { Scope } from '../../../gateway/core/scope.ts'
import type { UpstreamReader, Upstreams } from '../../../gateway/core/services.ts'
import type { AggregateOptions, PartOptions } from '../options.ts'
import { compileFormat, type Format } from '../reply/formats/format.ts'
import { compileShape, type Shape } from '../shape/shape.ts'
import { compileWriting, type Write } from '../write/write.ts'
import type { Constant } from './constant.ts'
import { compileForEach, type ForEach } from './for-each.ts'
import { ranksOf } from './rank.ts'
import { inputsOf, partRead, type Reading, readingsOf } from './readings.ts'
import { compileRequest, type PartRequest } from './request.ts'
import { compileSuccess, type Success } from './success.ts'
import { compileCondition } from './when.ts'

/** One part of the answer, compiled. */
export interface Part {
  readonly name: string
  /** Its place in the file, and so in the answer. */
  readonly index: number
  /** Its place in the queue for calls; the lowest goes first. */
  readonly rank: number
  /** Positions of the parts it waits for. */
  readonly inputs: readonly number[]
  /** Those of them whose value its call is made of. */
  readonly needs: readonly number[]
  /** Those of them that must have a reply, or be skipped, although nothing of them is read. */
  readonly order: readonly number[]
  /** Those of them that decide whether it is asked at all. */
  readonly gates: readonly number[]
  /** Positions of the parts that wait for it. */
  readonly waiting: readonly number[]
  /** Whether it is asked; undefined for always. */
  readonly when: ((scope: Scope) => boolean) | undefined
  readonly required: boolean
  readonly fallback: Constant | undefined
  /** What is made of a reply for the answer; undefined when it stands there as it came. */
  readonly shape: Shape | undefined
  readonly forEach: ForEach | undefined
  readonly timeoutMs: number | undefined
  readonly call: PartCall
  /** How it writes; undefined for a part that changes nothing. */
  readonly write: Write | undefined
  readonly keeping: Keeping | undefined
  /** True when what is asked depends on the caller, by itself or through the parts it reads. */
  readonly isPersonal: boolean
}

/** How an upstream is asked for a part. */
export interface PartCall {
  readonly upstream: UpstreamReader
  /** Throws `PartFailure` when a value it needs is not there. */
  render(scope: Scope): PartRequest
  readonly success: Success
  readonly passStatus: ReadonlySet<number>
  readonly maxBytes: number
  readonly format: Format
}

/** For how long a reply is remembered, in milliseconds. */
export interface Keeping {
  /** Age up to which it is used instead of a call; 0 for never. */
  readonly freshMs: number
  /** Age up to which it stands in when a call failed; 0 for never. */
  readonly staleMs: number
  /** True when what is asked depends on the caller, by itself or through the parts it reads. */
  readonly isPersonal: boolean
}

const DEFAULT_STALE_MS = 3_600_000

/** Resolves everything about the parts that does not depend on the request. */
export function compileParts(
  { parts: written, concurrency }: AggregateOptions,
  { upstreams, clock }: { readonly upstreams: Upstreams; readonly clock: Clock },
): Part[] {
  const names = Object.keys(written)
  const all = Object.values(written)
  const positions = (found: readonly string[]) => found.map((name) => names.indexOf(name))
  const inputs = all.map((part) => positions(inputsOf(part)))
  const ranks = ranksOf(all.map(({ required }, i) => ({ required, inputs: inputs[i] ?? [] })))
  const personal = personalParts(all, inputs)
  return all.map((part, index) => ({
    name: names[index] ?? '',
    index,
    rank: ranks[index] ?? 0,
    inputs: inputs[index] ?? [],
    needs: positions(readBy(part, (place) => place !== 'when')),
    order: positions(part.after ?? []),
    gates: positions(readBy(part, (place) => place === 'when')),
    waiting: inputs.flatMap((read, i) => (read.includes(index) ? [i] : [])),
    when: part.when && compileCondition(part.when),
    required: part.required,
    fallback: part.fallback,
    shape: compileShape(part, clock),
    forEach: compileForEach(part, concurrency),
    timeoutMs: part.timeout,
    call: {
      upstream: upstreams.reader(part.upstream),
      render: compileRequest(part),
      success: compileSuccess(part.success),
      passStatus: new Set(part['pass-status']),
      maxBytes: part['max-bytes'],
      format: compileFormat(part.as, part['content-type']),
    },
    write: compileWriting(names[index] ?? '', part),
    keeping: keepingOf(part, personal.has(index)),
    isPersonal: personal.has(index),
  }))
}

/** Names of the parts that are read in certain places, each once. */
function readBy(part: PartOptions, isWanted: (place: Reading['place']) => boolean): string[] {
  const readings = readingsOf(part).filter(({ place }) => isWanted(place))
  return [...new Set(readings.flatMap(({ reference }) => partRead(reference) ?? []))]
}

/** What of a request may differ between two callers who ask for the same thing. */
const CALLER: ReadonlySet<string> = new Set(['claims', 'client', 'cookies', 'headers'])

function personalParts(all: readonly PartOptions[], inputs: readonly (readonly number[])[]): ReadonlySet<number> {
  const own = all.map((part) => readingsOf(part).some(({ reference }) => CALLER.has(reference.root)))
  const found = new Set(own.flatMap((isPersonal, index) => (isPersonal ? [index] : [])))
  // A set that is added to while it is walked is walked to its new end.
  for (const index of found) {
    for (const [reader, read] of inputs.entries()) if (read.includes(index)) found.add(reader)
  }
  return found
}

function keepingOf(part: PartOptions, isPersonal: boolean): Keeping | undefined {
  const fallback = part['fallback-to']
  if (part.cache === undefined && fallback === undefined) return undefined
  const staleMs = fallback === undefined ? 0 : fallback === 'stale' ? DEFAULT_STALE_MS : fallback.stale
  return { freshMs: part.cache ?? 0, staleMs, isPersonal }
}
