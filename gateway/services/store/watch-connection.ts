import type { Clock } from '../../core/clock.ts'

export interface WatchedConnection {
  readonly clock: Clock
  /** Asks the server for a sign of life; any answer will do, a refusal too. */
  ping(): Promise<unknown>
  /** Gives the connection up and begins a new one. */
  replace(): void
  /** Pause between two pings. Default 1,000. */
  readonly everyMs?: number
  /** Silence after which the connection is replaced. Default 3,000. */
  readonly silentForMs?: number
}

/**
 * Replaces a connection on which nothing comes back. The `redis` client does not do it: its idle timer starts anew with
 * every byte sent, and the system gives a dead peer up only after a quarter of an hour. Returns what ends the watch.
 */
export function watchConnection({
  clock,
  ping,
  replace,
  everyMs = 1_000,
  silentForMs = 3_000,
}: WatchedConnection): () => void {
  let sentAt: number | undefined
  let turn = 0

  const send = (): void => {
    const mine = ++turn
    sentAt = clock.now()
    const settle = () => {
      if (mine === turn) sentAt = undefined
    }
    ping().then(settle, settle)
  }

  const look = (): void => {
    cancel = clock.after(everyMs, look)
    if (sentAt === undefined) {
      send()
    } else if (clock.now() - sentAt >= silentForMs) {
      sentAt = undefined
      turn++
      replace()
    }
  }

  let cancel = clock.after(everyMs, look)
  return () => cancel()
}
