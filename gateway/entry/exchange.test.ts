import { describe, expect, test } from 'bun:test'
import { arrivedExchange } from '../../tests/support/arrived-exchange.ts'
import type { Exchange } from '../core/exchange.ts'
import { createKey } from '../core/keys.ts'

const SEEN = createKey<string>('seen')
const OTHER = createKey<number>('other')

/** As the pipeline does for `next(change)`. */
const derived = (exchange: Exchange, change: Partial<Exchange>): Exchange =>
  Object.assign(Object.create(exchange) as Exchange, change)

describe('an exchange', () => {
  test('shares what is kept under a key with those that are derived of it, whichever of them keeps it', () => {
    const { exchange } = arrivedExchange()
    const inner = derived(exchange, { id: 'inner' })
    expect(inner.get(SEEN)).toBeUndefined()
    inner.set(SEEN, 'below')
    expect([exchange.get(SEEN), derived(exchange, {}).get(SEEN), exchange.get(OTHER)]).toEqual([
      'below',
      'below',
      undefined,
    ])
    exchange.set(SEEN, 'above')
    exchange.set(OTHER, 0)
    expect([inner.get(SEEN), inner.get(OTHER)]).toEqual(['above', 0])
  })

  test('that is derived with another signal is ended by that one, and the one above as before', () => {
    const { exchange, stop } = arrivedExchange()
    const own = new AbortController()
    const inner = derived(exchange, { signal: own.signal })
    own.abort('its own')
    expect([inner.stop.reason, inner.signal, exchange.stop.reason]).toEqual(['its own', own.signal, undefined])
    stop.abort('the deadline')
    expect([exchange.signal.reason, exchange.stop]).toEqual(['the deadline', stop])
  })
})
