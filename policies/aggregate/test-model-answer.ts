import type { Settled } from './test-model.ts'
import type { Cut } from './test-model-call.ts'
import { predecessorsOf, readsCaller } from './test-model-kept.ts'
import { nameOf, type Scenario } from './test-scenario.ts'

/** What the client sees of a composition, by the rules of the README. */
export interface Answer {
  readonly composition: string
  readonly complete: '?0' | '?1'
  /** What a whole answer says of caches; its upstreams say nothing of them. */
  readonly cacheControl: string
  /** The document, or the failed parts of the problem. */
  readonly text: string
  /**
   * Of parts of which one is named as the reason of a problem, the status that answers for it; several when they failed at
   * the same moment. Empty where there is no problem.
   */
  readonly blamed: ReadonlyMap<string, number>
  readonly atMs: number
}

export function answerOf({ parts, fileOrder, knowing }: Scenario, settled: readonly Settled[], cut: Cut): Answer {
  const inOrder = fileOrder.flatMap((number) => {
    const outcome = settled[number]
    return outcome ? [{ ...outcome, number, name: nameOf(number) }] : []
  })
  const broken = inOrder.filter(
    ({ number, kind, failure }) => parts[number]?.required && kind === 'failed' && failure?.error !== 'cancelled',
  )
  const firstMs = Math.min(...broken.map(({ atMs }) => atMs))
  const first = broken.filter(({ atMs }) => atMs === firstMs)
  const isBroken = (number: number) => first.some((other) => other.number === number)
  // Who failed only because another required one did is not the reason.
  const deciders = first.filter(({ number }) => {
    const failed = predecessorsOf(parts[number] ?? never()).filter((from) => settled[from]?.kind === 'failed')
    return failed.length === 0 || !failed.every(isBroken)
  })
  const hasReply = inOrder.some(({ kind }) => kind === 'ok' || kind === 'partial')
  const reasons =
    deciders.length > 0 || hasReply ? deciders : inOrder.filter(({ kind }) => kind === 'failed').slice(0, 1)
  const members = inOrder.flatMap(({ name, shown }) => (shown ? [`"${name}":${shown.text}`] : []))
  const failed = inOrder.flatMap(({ name, failure }) => {
    if (!failure || failure.error === 'cancelled') return []
    return [{ name, error: failure.error, ...(failure.status !== undefined && { status: failure.status }) }]
  })
  return {
    composition: inOrder.map(({ name, ...outcome }) => describe(name, outcome)).join(', '),
    complete: inOrder.every(({ kind }) => kind === 'ok' || kind === 'skipped') ? '?1' : '?0',
    cacheControl: knowing === 'addresses' && !parts.some(readsCaller) ? 'no-cache' : 'private, no-cache',
    text: reasons.length > 0 ? JSON.stringify(failed) : `{${members.join(',')}}`,
    blamed: new Map(reasons.map(({ name, failure }) => [name, failure?.answer ?? 0])),
    atMs: deciders.length > 0 ? Math.max(firstMs, 0) : Math.min(cut.atMs, Math.max(...inOrder.map(({ atMs }) => atMs))),
  }
}

function describe(name: string, { kind, shown, failure, missed }: Settled): string {
  const age =
    shown?.ageMs === undefined ? '' : `;${kind === 'ok' ? 'cached' : 'stale'};age=${Math.floor(shown.ageMs / 1_000)}`
  const failing = failure ? `;error="${failure.error}"` : ''
  const status = failure?.status === undefined ? '' : `;status=${failure.status}`
  return `${name};${kind}${missed === undefined || kind !== 'partial' ? '' : `;failed=${missed}`}${age}${failing}${status}`
}

function never(): never {
  throw new Error('There is no such part')
}
