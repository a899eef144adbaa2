import { fromBase64, toBase64 } from '../../gateway/core/base64.ts'
import { noteWhole } from '../../gateway/core/read-reply.ts'
import type { Answered } from './entry.ts'

/** Fields that belong to one connection, one moment or one request, and are made anew or left out in a replay. */
const NOT_KEPT: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authentication-info',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'content-length',
  'date',
  'via',
  'x-request-id',
  'server-timing',
  'ratelimit',
  'ratelimit-policy',
  // A session opened for the first caller must not lie in a store, nor be handed out again.
  'set-cookie',
])

const BODILESS: ReadonlySet<number> = new Set([204, 205, 304])

/** A response as it is kept: status, the fields that may be repeated, and the bytes of the body. */
export function toAnswered(response: Response, body: Uint8Array, fingerprint: string): Answered {
  const named = (response.headers.get('connection') ?? '').split(',').map((name) => name.trim().toLowerCase())
  const fields = [...response.headers].filter(([name]) => !NOT_KEPT.has(name) && !named.includes(name))
  return { state: 'answered', fingerprint, status: response.status, fields, body: toBase64(body) }
}

/** The kept response once more, marked with `Idempotent-Replayed: true`. */
export function replay({ status, fields, body }: Answered): Response {
  const headers = new Headers(fields)
  headers.set('idempotent-replayed', 'true')
  return noteWhole(new Response(BODILESS.has(status) ? null : fromBase64(body), { status, headers }))
}
