import { LRUCache } from 'lru-cache'
import type { z } from 'zod'
import { type Broker, PoisonEvent, type ShopEvent } from './broker.ts'

/** What follows from an event: another one, about the same subject. */
export interface Consequence {
  readonly type: string
  readonly subject: string
  readonly data: unknown
}

/** Who consumes what, and what it leads to. */
export interface Reaction<Schema extends z.ZodType> {
  /** The consuming service; its queue is called `<service>.<type with dashes>`. */
  readonly service: string
  readonly type: string
  readonly data: Schema
  readonly now: () => number
  /** Changes the service's state, once per event id. */
  decide(data: z.output<Schema>): readonly Consequence[]
}

const REMEMBERED_EVENTS = 10_000

/**
 * Consumes one type of event idempotently. A repeat changes nothing; when publishing had failed, the repeat publishes
 * the same consequences under the same ids, so that those who did get them recognise them.
 */
export function reactTo<Schema extends z.ZodType>(broker: Broker, reaction: Reaction<Schema>): void {
  const inbox = new LRUCache<string, { consequences: readonly ShopEvent[]; published: boolean }>({
    max: REMEMBERED_EVENTS,
  })
  broker.subscribe({
    queue: `${reaction.service}.${reaction.type.replaceAll('.', '-')}`,
    type: reaction.type,
    async handle(cause) {
      const key = `${cause.source} ${cause.id}`
      let entry = inbox.get(key)
      if (!entry) {
        entry = { consequences: decide(cause, reaction), published: false }
        inbox.set(key, entry)
      }
      if (entry.published) return
      for (const event of entry.consequences) await broker.publish(event)
      entry.published = true
    },
  })
}

function decide<Schema extends z.ZodType>(cause: ShopEvent, reaction: Reaction<Schema>): readonly ShopEvent[] {
  const parsed = reaction.data.safeParse(cause.data)
  if (!parsed.success) {
    const [issue] = parsed.error.issues
    throw new PoisonEvent(
      `The ${cause.type} event ${cause.id} has wrong data at "${issue?.path.join('.')}": ${issue?.message}`,
    )
  }
  return reaction.decide(parsed.data).map((consequence) => ({
    ...consequence,
    id: idAfter(cause.id, consequence.type),
    source: `/shop/${reaction.service}`,
    time: new Date(reaction.now()).toISOString(),
    traceparent: cause.traceparent,
  }))
}

/** The same cause always leads to the same id, even after a restart has emptied the inbox. */
function idAfter(causeId: string, type: string): string {
  return new Bun.CryptoHasher('sha256').update(`${causeId} ${type}`).digest('hex').slice(0, 32)
}
