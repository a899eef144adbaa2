import type { Database } from 'bun:sqlite'
import type { z } from 'zod'
import { type CloudEvent, firstMistake } from './cloud-event.ts'
import { createDeferred, type Deferred } from './deferred.ts'
import { Poison } from './failures.ts'
import { createOutgoing, type Outgoing } from './outgoing.ts'
import type { EventSchemas } from './schemas.ts'
import type { StepHook } from './steps.ts'

/** What follows from an event: another one, about the same subject unless it says otherwise. */
export interface Consequence {
  readonly type: string
  readonly subject?: string
  readonly data: unknown
}

/** What a service does about one type of event. Make it with `on`. */
export interface Reaction {
  readonly type: string
  /** Runs inside the transaction: changes the database, and nothing that cannot be rolled back. */
  apply(event: CloudEvent): readonly Consequence[]
}

/** A reaction that reads the data with a schema of its own; data that does not fit is poison. */
export function on<Schema extends z.ZodType>(
  type: string,
  data: Schema,
  apply: (data: z.output<Schema>, event: CloudEvent) => readonly Consequence[],
): Reaction {
  return {
    type,
    apply(event) {
      const parsed = data.safeParse(event.data)
      if (!parsed.success) throw wrongData(type, firstMistake(parsed.error))
      return apply(parsed.data, event)
    },
  }
}

/** What became of an event: it took effect, it had before, or an earlier one of its subject has to come first. */
export type Taken = 'applied' | 'repeat' | 'behind'

/** A service's reactions to events, each event once whatever is delivered again. */
export interface Inbox {
  readonly service: string
  readonly types: readonly string[]
  /** How long an event is remembered, in milliseconds. */
  readonly keepMs: number
  readonly outgoing: Outgoing
  readonly deferred: Deferred
  /**
   * Effect, inbox entry and consequences in one transaction: all of it is on the disk when this returns, and nothing
   * when it throws. `queue` is where the event came from.
   */
  take(queue: string, event: CloudEvent): Taken
  /** Forgets at most `limit` entries that are too old to be repeated, and says how many it did. */
  purge(limit: number): number
}

export interface InboxOptions {
  readonly service: string
  /** `source` of the events it makes; `/<service>` unless told. */
  readonly source?: string
  readonly database: Database
  readonly reactions: readonly Reaction[]
  readonly schemas: EventSchemas
  /** Milliseconds since 1970. */
  readonly now: () => number
  /** How long an event is remembered, in milliseconds; 7 days unless told. */
  readonly keepMs?: number
  readonly onStep?: StepHook | undefined
}

const DAY_MS = 86_400_000

/** Makes the inbox of a service in its database (see `openDatabase`). */
export function createInbox(options: InboxOptions): Inbox {
  const { service, source = `/${service}`, database, schemas, now, keepMs = 7 * DAY_MS, onStep } = options
  const reactions = new Map(options.reactions.map((reaction) => [reaction.type, reaction]))
  const outgoing = createOutgoing(database)
  const deferred = createDeferred(database, now)
  const find = database.query<{ found: 1 }, [string, string]>(
    'SELECT 1 AS found FROM inbox WHERE source = ? AND id = ?',
  )
  const remember = database.query('INSERT INTO inbox (source, id, type, subject, handled_at_ms) VALUES (?, ?, ?, ?, ?)')
  const purge = database.query(
    `DELETE FROM inbox WHERE (source, id) IN (
      SELECT source, id FROM inbox WHERE handled_at_ms < ? ORDER BY handled_at_ms LIMIT ?)`,
  )

  const takeInTransaction = database.transaction((queue: string, event: CloudEvent): Taken => {
    if (find.get(event.source, event.id)) {
      deferred.forget(queue, event)
      return 'repeat'
    }
    if (deferred.isBehind(queue, event)) return 'behind'
    for (const consequence of react(event)) outgoing.add(consequence.subject ?? '', consequence)
    remember.run(event.source, event.id, event.type, event.subject ?? null, now())
    deferred.forget(queue, event)
    onStep?.('before-commit', event.type)
    return 'applied'
  })

  function react(event: CloudEvent): readonly CloudEvent[] {
    const reaction = reactions.get(event.type)
    if (!reaction) throw new Poison('unknown-type', `The ${service} service does not know ${event.type}`)
    const mistake = schemas.mistakeIn(event.type, event.data)
    if (mistake !== undefined) throw wrongData(event.type, mistake)
    return reaction.apply(event).map((consequence) => follow(event, consequence))
  }

  function follow(cause: CloudEvent, { type, subject = cause.subject, data }: Consequence): CloudEvent {
    const mistake = schemas.mistakeIn(type, data)
    // Our own mistake, not the message's: it is tried again, in case a mended service is started meanwhile.
    if (mistake !== undefined) throw new TypeError(`The ${service} service made a wrong ${type}: ${mistake}`)
    const { traceparent } = cause
    const id = idAfter(cause, `${service} ${type} ${subject}`)
    return { id, type, source, subject, time: new Date(now()).toISOString(), traceparent, data }
  }

  return {
    service,
    types: [...reactions.keys()],
    keepMs,
    outgoing,
    deferred,
    take(queue, event) {
      const taken = takeInTransaction.immediate(queue, event)
      if (taken === 'applied') outgoing.announce()
      return taken
    },
    purge: (limit) => purge.run(now() - keepMs, limit).changes,
  }
}

function wrongData(type: string, mistake: string): Poison {
  return new Poison('wrong-data', `The data is no ${type}: ${mistake}`)
}

/** The same cause always leads to the same id, even when the database was lost in between. */
function idAfter({ source, id }: CloudEvent, what: string): string {
  return new Bun.CryptoHasher('sha256')
    .update(JSON.stringify([source, id, what]))
    .digest('hex')
    .slice(0, 32)
}
