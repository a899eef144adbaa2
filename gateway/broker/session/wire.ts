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
