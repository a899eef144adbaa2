/** Told when the client has left. */
export interface DepartureListener {
  handleEvent(): void
}

/** Says when a client leaves; the `AbortSignal` of a request does. */
export interface Departure {
  /** Whether it is known to have left. */
  readonly aborted: boolean
  addEventListener(type: 'abort', listener: DepartureListener, options: { readonly once: true }): void
  removeEventListener(type: 'abort', listener: DepartureListener): void
}
