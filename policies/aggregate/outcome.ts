import type { PartFailure } from './failure.ts'
import type { Constant } from './plan/constant.ts'
import type { Reply } from './reply/read.ts'

/** What became of one part. */
export type Outcome =
  | { readonly kind: 'ok'; readonly part: string; readonly reply: Reply; readonly durationMs: number }
  | {
      readonly kind: 'fallback'
      readonly part: string
      readonly fallback: Constant
      readonly failure: PartFailure
    }
  | { readonly kind: 'failed'; readonly part: string; readonly failure: PartFailure }

export type Failed = Extract<Outcome, { kind: 'failed' }>
