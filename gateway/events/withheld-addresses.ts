import type { EventAddress } from '../core/events.ts'
import { addressKey } from './outbox.ts'

/** Addresses for which the broker takes nothing at present. */
export interface WithheldAddresses {
  /** Keys of the addresses for which no further event is to be tried. */
  readonly keys: ReadonlySet<string>
  /** An event was not delivered, and will be tried again. */
  failed(address: EventAddress): void
  /** An event was delivered or parked, or is no longer ours to try: the next ones may be tried again. */
  ended(address: EventAddress): void
}

/** So many failures one after another say that it is not the events' fault. */
const ENOUGH = 500

/**
 * Keeps events that would fail from being tried one and all: those that were tried go on being tried, and show when it
 * is over. What waits is left in the outbox, so that a hundred thousand such events cost no more than five hundred.
 */
export function createWithheldAddresses(): WithheldAddresses {
  const failures = new Map<string, number>()
  const keys = new Set<string>()
  return {
    keys,
    failed(address) {
      const key = addressKey(address)
      const count = (failures.get(key) ?? 0) + 1
      failures.set(key, count)
      if (count >= ENOUGH) keys.add(key)
    },
    ended(address) {
      const key = addressKey(address)
      failures.delete(key)
      keys.delete(key)
    },
  }
}
