/** What `wrangler` gives to modules; only what is used here. */
declare module 'cloudflare:workers' {
  /** Variables, secrets and bindings of this Worker. */
  export const env: Readonly<Record<string, unknown>>
}

/** Passes exactly so many bytes through, and fails when it gets fewer or more. */
declare class FixedLengthStream extends TransformStream<Uint8Array, Uint8Array> {
  constructor(expectedLength: number)
}
