import { z } from 'zod'
import { StoreUnavailable } from '../../gateway/core/store.ts'

const unkeptReason = z.enum(['too-large', 'event-stream', 'interrupted', 'store-failed'])

const running = z.object({
  state: z.literal('running'),
  /** Makes one lease differ from every other, which is what fences off an owner that lost it. */
  token: z.string(),
  fingerprint: z.string(),
})

const answered = z.object({
  state: z.literal('answered'),
  fingerprint: z.string(),
  status: z.int(),
  fields: z.array(z.tuple([z.string(), z.string()])),
  /** Base64. */
  body: z.string(),
})

const unkept = z.object({
  state: z.literal('unkept'),
  fingerprint: z.string(),
  status: z.int(),
  reason: unkeptReason,
})

const entry = z.discriminatedUnion('state', [running, answered, unkept])

/** What stands in the store under a key: a request that is running, its answer, or why there is none to give. */
export type Entry = z.output<typeof entry>
export type Answered = z.output<typeof answered>
export type Unkept = z.output<typeof unkept>
export type UnkeptReason = z.output<typeof unkeptReason>

/** Reads what another gateway wrote. Throws `StoreUnavailable` when it is nothing of ours. */
export function parseEntry(text: string): Entry {
  try {
    return entry.parse(JSON.parse(text))
  } catch (cause) {
    throw new StoreUnavailable('The store holds something else under an idempotency key', { cause })
  }
}
