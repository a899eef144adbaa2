import { collect } from '../../gateway/core/body.ts'
import type { Clock } from '../../gateway/core/clock.ts'

/** How long an issuer may take for its key set, body included. */
export const FETCH_TIMEOUT_MS = 5_000

/** Most bytes of a key set that are read, counted after any content coding. */
export const MAX_DOCUMENT_BYTES = 256 * 1_024

type Fetch = (url: string, init?: RequestInit) => Promise<Response>

/**
 * Fetches a published key set once, within a time and a size. Throws an error for the log when it is not there:
 * another status, a redirect (which could lead anywhere, cloud metadata included), too many bytes, too slow.
 */
export async function fetchKeys(url: string, { clock, fetch }: { clock: Clock; fetch: Fetch }): Promise<Uint8Array> {
  const controller = new AbortController()
  let cancelTimer = () => {}
  const tooSlow = new Promise<never>((_, reject) => {
    cancelTimer = clock.after(FETCH_TIMEOUT_MS, () => {
      const reason = new Error(`The issuer did not answer within ${FETCH_TIMEOUT_MS} ms`)
      controller.abort(reason)
      reject(reason)
    })
  })
  try {
    // Raced, because a body that has stopped flowing does not notice the abort on every runtime.
    return await Promise.race([download(url, fetch, controller.signal), tooSlow])
  } finally {
    cancelTimer()
  }
}

async function download(url: string, fetch: Fetch, signal: AbortSignal): Promise<Uint8Array> {
  const response = await fetch(url, {
    headers: { accept: 'application/jwk-set+json, application/json' },
    redirect: 'manual',
    signal,
  })
  if (response.status !== 200) {
    response.body?.cancel().catch(() => {})
    throw new Error(`The issuer answered with status ${response.status}`)
  }
  return collect(response.body, MAX_DOCUMENT_BYTES, (limit) => new Error(`The key set is larger than ${limit} bytes`))
}
