/** With so much unsent, no more deliveries are written: the messages are better off in their queues. */
export const DELIVERIES_PAUSE_BYTES = 1_048_576

/** With so much unsent, the client is not even listened to: it asks faster than it reads the answers. */
export const READING_PAUSE_BYTES = 4 * 1_048_576

/** One client's connection as the session sees it. No method throws, and none calls the session back at once. */
export interface Wire {
  /** Octets accepted by `send` that have not left yet. */
  readonly bufferedBytes: number
  send(bytes: Uint8Array): void
  /** Sends what is buffered, then closes. */
  close(): void
  /** Closes at once. */
  abort(): void
  /** Stops and restarts reading. */
  pause(): void
  resume(): void
}
