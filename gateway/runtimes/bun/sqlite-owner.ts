import type { Clock } from '../../core/clock.ts'
import { LEFT_WITHOUT_OUTCOME } from '../../events/outbox.ts'
import type { Leases } from './sqlite-leases.ts'

export interface OwnerParts {
  readonly leases: Leases
  readonly write: (run: () => void) => Promise<void>
  /** As `write`, at once. */
  readonly writeNow: (run: () => void) => void
  readonly clock: Clock
  /** Makes `unknown` what is pending and has no owner that lives. */
  readonly leavePending: { run(reason: string): unknown }
}

/** This process as one of those that share an outbox. */
export interface Owner {
  readonly id: string
  /** Stores what is waiting, and gives up what is pending: nobody is left who could tell its outcome. */
  end(): Promise<void>
}

const HEARTBEAT_MS = 2_000
const TTL_MS = 10_000
const PREFIX = 'owner '

/**
 * Shows every two seconds that this process lives, and settles the estate of those that do not: their pending intents
 * are `unknown` from then on.
 */
export function startOwner({ leases, write, writeNow, clock, leavePending }: OwnerParts): Owner {
  const id = crypto.randomUUID()
  const name = PREFIX + id
  const beat = () => {
    leases.acquire({ name, holder: id, ttlMs: TTL_MS }, clock.monotonic())
    leases.dropRunOut(PREFIX, clock.monotonic())
    leavePending.run(LEFT_WITHOUT_OUTCOME)
  }
  let cancel = () => {}

  function beatOn(): void {
    // A beat that fails is made up for by the next one.
    write(beat).catch(() => {})
    cancel = clock.after(HEARTBEAT_MS, beatOn)
  }
  writeNow(beat)
  cancel = clock.after(HEARTBEAT_MS, beatOn)

  return {
    id,
    end() {
      cancel()
      return write(() => leases.release(name, id))
    },
  }
}
