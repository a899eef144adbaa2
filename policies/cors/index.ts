import { cors as honoCors } from 'hono/cors'
import { z } from 'zod'
import { duration, headerName } from '../../gateway/config/fields.ts'
import { editResponse } from '../../gateway/core/edit-response.ts'
import { GatewayError } from '../../gateway/core/errors.ts'
import type { Exchange } from '../../gateway/core/exchange.ts'
import { definePolicy } from '../../gateway/core/policy.ts'
import { isPreflight } from '../../gateway/core/preflight.ts'
import { fromHono } from '../../gateway/hono.ts'
import { origin } from './origin.ts'

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'] as const

/** Marks an answer that `idempotency` repeats. */
const REPLAYED = 'idempotent-replayed'

const options = z.strictObject({
  origins: z
    .union([z.literal('*'), z.array(origin).min(1).max(1_000)], {
      error: 'expected a list of origins such as ["https://shop.example"], or "*" for any',
    })
    .describe('Sites whose scripts may read the answers: exact origins, or "*" for any'),
  methods: z
    .array(z.enum([...METHODS, 'OPTIONS']))
    .min(1)
    .default([...METHODS])
    .describe('Methods those scripts may use'),
  headers: z
    .array(headerName)
    .max(100)
    .default([])
    .describe('Request fields they may send; the ones asked for when empty'),
  expose: z.array(headerName).max(100).default([]).describe('Response fields they may read besides the safe ones'),
  'max-age': duration.optional().describe('How long a browser may remember the answer to a preflight'),
  credentials: z.boolean().default(false).describe('Whether cookies and other credentials may be sent; never with "*"'),
})

/** Lets scripts of other sites read the answers of a route (CORS), and answers their preflights itself. */
export default definePolicy({
  name: 'cors',
  at: 'route',
  preflight: true,
  options,

  check({ origins, credentials }) {
    if (origins !== '*' || !credentials) return []
    const message = 'any site could act as the signed-in user: list the origins, or leave credentials out'
    return [{ path: ['credentials'], message }]
  },

  create({ origins, methods, headers, expose, credentials, 'max-age': maxAgeMs }) {
    const allowed = new Set(origins)
    const answer = fromHono(
      honoCors({
        // A function, because with "*" as text no Vary is sent.
        origin: (asking) => (origins === '*' ? '*' : allowed.has(asking) ? asking : null),
        allowMethods: [...methods],
        allowHeaders: headers,
        exposeHeaders: expose,
        credentials,
        ...(maxAgeMs === undefined ? {} : { maxAge: Math.floor(maxAgeMs / 1_000) }),
      }),
    )

    return async function cors(exchange, next) {
      const { headers: sent } = exchange.request
      // Browsers ask nobody before they open a WebSocket, and send cookies with it (RFC 6455 §10.2).
      const origin = sent.get('upgrade')?.toLowerCase() === 'websocket' ? sent.get('origin') : null
      if (origin !== null && origins !== '*' && !allowed.has(origin)) {
        throw new GatewayError('forbidden', { detail: 'This origin may not open a WebSocket here' })
      }
      const granted = await answer(isPreflight(exchange.request) ? exchange : asGet(exchange), async () =>
        editResponse(await next(), dropForeignGrants),
      )
      return granted.headers.has(REPLAYED) ? editResponse(granted, exposeReplay) : granted
    }
  },
})

/** A script that repeated its request must see that the answer is the first one's. */
function exposeReplay(headers: Headers): void {
  headers.append('access-control-expose-headers', REPLAYED)
}

/** What the upstream grants would stand beside, or instead of, what this policy grants. */
function dropForeignGrants(headers: Headers): void {
  for (const name of [...headers.keys()]) if (name.startsWith('access-control-')) headers.delete(name)
}

/** Hono takes every OPTIONS for a preflight; the ones that are not belong to the upstream. */
function asGet(exchange: Exchange): Exchange {
  const { request } = exchange
  if (request.method !== 'OPTIONS') return exchange
  const seen = new Request(request.url, { headers: request.headers })
  return Object.create(exchange, { request: { value: seen } })
}
