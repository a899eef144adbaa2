import type { Exchange } from '../../gateway/core/exchange.ts'
import { Stop } from '../../gateway/core/stop.ts'
import { createExchange, type ExchangeParts } from '../../gateway/entry/exchange.ts'

/** An exchange as the door makes it, of a request for `/`, and what ends it. */
export function arrivedExchange(given: Partial<Omit<ExchangeParts, 'stop'>> = {}): {
  readonly exchange: Exchange
  readonly stop: Stop
} {
  const stop = new Stop()
  const exchange = createExchange({
    request: new Request('http://gateway.test/'),
    id: 'id',
    route: 'route',
    path: '/',
    search: '',
    params: {},
    client: { ip: undefined, trusted: false, protocol: 'http', host: '' },
    trace: { traceparent: '', tracestate: undefined },
    deadline: Number.POSITIVE_INFINITY,
    upgrade: undefined,
    waitUntil: () => {},
    bodyLimit: 0,
    now: () => 0,
    ...given,
    stop,
  })
  return { exchange, stop }
}
