import { addressKey, type DueEvent } from './outbox.ts'

/** Why a committed event has not been delivered. */
export interface Waiting {
  readonly reason: string
  /** How often it was sent in vain. */
  readonly attempts?: number
  /** When it is sent next, in milliseconds since the Unix epoch. */
  readonly nextAtMs?: number
}

/** What the process that delivers knows of events it will send again. */
export interface PutOffs {
  /** It was not delivered. Returns how often that has happened. */
  failed(entry: DueEvent, reason: string): number
  /** When it is sent again, in milliseconds since the Unix epoch. */
  until(id: string, nextAtMs: number): void
  /** It was delivered or parked, or is no longer ours to send. */
  ended(id: string): void
  /** Why an event waits, itself or behind another; undefined when nothing is in its way. */
  of(entry: Pick<DueEvent, 'id' | 'event' | 'address'>, withheld: ReadonlySet<string>): Waiting | undefined
}

interface PutOff extends Waiting {
  readonly attempts: number
  readonly subject: string | undefined
  readonly address: string
}

/** Keeps in memory why events were put off; as many as the relay keeps in its own. */
export function createPutOffs(): PutOffs {
  const putOff = new Map<string, PutOff>()

  const find = (wanted: (each: PutOff) => boolean) => [...putOff.values()].find(wanted)?.reason

  return {
    failed({ id, event: { subject }, address }, reason) {
      const attempts = (putOff.get(id)?.attempts ?? 0) + 1
      putOff.set(id, { reason, attempts, subject, address: addressKey(address) })
      return attempts
    },
    until(id, nextAtMs) {
      const found = putOff.get(id)
      if (found) putOff.set(id, { ...found, nextAtMs })
    },
    ended(id) {
      putOff.delete(id)
    },
    of({ id, event: { subject }, address }, withheld) {
      const own = putOff.get(id)
      if (own) {
        const { reason, attempts, nextAtMs } = own
        return { reason, attempts, ...(nextAtMs !== undefined && { nextAtMs }) }
      }
      const before = subject === undefined ? undefined : find((each) => each.subject === subject)
      if (before !== undefined) return { reason: `an earlier event of its subject goes first: ${before}` }
      const key = addressKey(address)
      const same = withheld.has(key) ? find((each) => each.address === key) : undefined
      return same === undefined ? undefined : { reason: `as others that go there: ${same}` }
    },
  }
}
