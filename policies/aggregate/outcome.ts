import type { Fields } from '../../gateway/core/read-reply.ts'
import type { Head } from './answer/cache-control.ts'
import type { PartFailure } from './failure.ts'

/** What stands in the answer for a part, and what others read of it as `body`. */
export interface Shown {
  /** JSON text, ready to stand inside another. */
  readonly json: Uint8Array<ArrayBuffer>
  readonly body: unknown
}

/** A reply a part was asked for, or the list of replies of a part with `for-each`, which has neither status nor fields. */
export interface Received extends Shown {
  readonly status?: number
  readonly headers?: Fields
  /** The fields of each reply of a list. */
  readonly heads?: readonly Head[]
}

/** What stands in the answer in place of the reply's own text, when the part has a shape. */
interface Shaped {
  readonly shaped?: Uint8Array<ArrayBuffer>
}

/** What became of one part. */
export type Outcome =
  | (Shaped & {
      readonly kind: 'ok'
      readonly part: string
      readonly reply: Received
      readonly durationMs: number
      /** Age of a reply that was remembered; undefined for a fresh one. */
      readonly ageMs?: number | undefined
    })
  | (Shaped & {
      readonly kind: 'partial'
      readonly part: string
      readonly reply: Received
      readonly durationMs: number
      /** Items of the list that have something else in place of a reply. */
      readonly failed: number
      /** Why the first of them has none. */
      readonly failure: PartFailure
    })
  | (Shaped & {
      readonly kind: 'fallback'
      readonly part: string
      readonly shown: Shown
      readonly failure: PartFailure
      /** Age of an old reply that stands in; undefined for a fixed value. */
      readonly ageMs?: number | undefined
    })
  /** Not asked on purpose: its `when` does not hold, or it reads a part whose does not. */
  | { readonly kind: 'skipped'; readonly part: string }
  | { readonly kind: 'failed'; readonly part: string; readonly failure: PartFailure }

export type Failed = Extract<Outcome, { kind: 'failed' }>

/** The text that stands in the answer for a part; undefined when it is left out. */
export function textOf(outcome: Outcome): Uint8Array<ArrayBuffer> | undefined {
  const isShaped = outcome.kind !== 'failed' && outcome.kind !== 'skipped' && outcome.shaped !== undefined
  return isShaped ? outcome.shaped : shownOf(outcome)?.json
}

/** What a part has to show as it came; undefined when there is nothing. */
export function shownOf(outcome: Outcome): Shown | undefined {
  if (outcome.kind === 'ok' || outcome.kind === 'partial') return outcome.reply
  return outcome.kind === 'fallback' ? outcome.shown : undefined
}

/** What templates read as `parts.<name>`; what is no single reply has a body only. */
export function templateValue(outcome: Outcome): object | undefined {
  if (outcome.kind === 'ok' && outcome.reply.headers) {
    const { status, body, headers } = outcome.reply
    return {
      body,
      status,
      get headers() {
        return Object.fromEntries(headers)
      },
    }
  }
  const shown = shownOf(outcome)
  return shown && { body: shown.body }
}
