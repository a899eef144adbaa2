import { fromBase64 } from '../core/base64.ts'
import type { Exchange } from '../core/exchange.ts'
import type { OwnRequest } from '../core/own-request.ts'
import type { UpstreamRequest } from '../core/services.ts'
import { stopBy } from '../core/stop.ts'
import { createExchange } from './exchange.ts'
import { readTrace } from './trace.ts'

/** Taken from the client's side of the exchange, where they say how the client came in. */
const OF_THE_CLIENT = ['host', 'x-forwarded-proto']

export interface OwnExchangeParts {
  readonly id: string
  readonly random: () => number
  readonly now: () => number
  readonly waitUntil: (work: Promise<unknown>) => void
}

/** Makes the exchange and the call of a request that no client sent. */
export function createOwnExchange(
  { route, method, path, headers: fields, body, traceparent, deadlineMs, signal, record }: OwnRequest,
  { id, random, now, waitUntil }: OwnExchangeParts,
): { readonly exchange: Exchange; readonly request: UpstreamRequest } {
  const arrived = new Headers(fields.map(([name, value]): [string, string] => [name, value]))
  const [pathname = '/', ...query] = path.split('?')
  const exchange = createExchange({
    request: new Request('http://gateway.invalid/', { method, headers: arrived }),
    id,
    route,
    path: pathname,
    search: query.length === 0 ? '' : `?${query.join('?')}`,
    params: {},
    client: {
      ip: undefined,
      trusted: false,
      protocol: arrived.get('x-forwarded-proto') === 'https' ? 'https' : 'http',
      host: arrived.get('host') ?? '',
    },
    trace: readTrace({ traceparent, tracestate: undefined }, random),
    stop: stopBy(signal),
    deadline: deadlineMs,
    upgrade: undefined,
    waitUntil,
    bodyLimit: 0,
    now,
  })
  const headers = new Headers(arrived)
  for (const name of OF_THE_CLIENT) headers.delete(name)
  return { exchange, request: { method, path, headers, body: body === undefined ? null : fromBase64(body), record } }
}
