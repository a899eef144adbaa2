import { Redis } from '@upstash/redis/cloudflare'
import type { Scripts } from './redis-scripts.ts'

export interface UpstashOptions {
  /** Address of the REST API. */
  readonly url: string
  readonly token: string
  /** After this the HTTP request is given up. Default 1,000; who asks decides earlier by its own timeout. */
  readonly abandonAfterMs?: number
}

/** Reaches a Redis at Upstash over HTTP, the only way from Cloudflare Workers. Works on every runtime. */
export function createUpstashScripts({ url, token, abandonAfterMs = 1_000 }: UpstashOptions): Scripts {
  return new Redis({
    url,
    token,
    // A value that looks like JSON must come back as the text it was.
    automaticDeserialization: false,
    // Pipelining would let one request wait for another's promise, which Workers forbid.
    enableAutoPipelining: false,
    enableTelemetry: false,
    retry: false,
    signal: () => AbortSignal.timeout(abandonAfterMs),
  })
}
