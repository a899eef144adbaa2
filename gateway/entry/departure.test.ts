import { describe, expect, test } from 'bun:test'
import { createTestGateway, NobodyThere } from '../../tests/support/gateway.ts'
import type { Departure, DepartureListener } from '../core/departure.ts'
import { ReadReply } from '../core/read-reply.ts'

/** A client that can leave, and how many listen for that. */
function client() {
  const listeners = new Set<DepartureListener>()
  const gone: Departure = {
    aborted: false,
    addEventListener: (_, listener) => void listeners.add(listener),
    removeEventListener: (_, listener) => void listeners.delete(listener),
  }
  const leave = () => {
    for (const listener of listeners) listener.handleEvent()
  }
  return { gone, listening: () => listeners.size, leave }
}

const TOLD = { type: 'a.done', exchange: 'shop.events', subject: '{response.body.a}', data: '{response.body}' }
const ROUTES = {
  composed: { path: '/composed', policies: [{ aggregate: { parts: { a: { upstream: 'shop', path: '/a' } } } }] },
  proxied: { path: '/proxied', upstream: 'shop' },
  fixed: { path: '/fixed', policies: [{ respond: { text: 'hello' } }] },
  moved: { path: '/moved', policies: [{ redirect: { to: '/fixed' } }] },
  once: { path: '/once', upstream: 'shop', policies: [{ idempotency: {} }] },
  told: { path: '/told', upstream: 'shop', policies: [{ publish: TOLD }] },
}
const CONFIG = JSON.stringify({ version: 1, upstreams: { shop: { url: 'http://shop.test' } }, routes: ROUTES })

const BYTES = new TextEncoder().encode('{"a":1}')
const JSON_TYPE = { headers: { 'content-type': 'application/json' } }

function whole(): ReadReply {
  const headers = new Headers({ 'content-type': 'application/json' })
  return new ReadReply(
    { status: 200, reason: 'OK', fields: Object.assign(headers, { toHeaders: () => headers }) },
    BYTES,
  )
}

describe('a client that leaves', () => {
  for (const [path, status] of [
    ['/composed', 200],
    ['/proxied', 200],
    ['/fixed', 200],
    ['/moved', 302],
  ] as const) {
    test(`is of no interest once all of its answer is there: ${path}`, async () => {
      const gateway = await createTestGateway({
        config: CONFIG,
        send: async (_, receiver) => receiver.replied(whole()),
      })
      const { gone, listening } = client()
      const response = await gateway.fetch(path, { redirect: 'manual' }, { gone })
      expect([response.status, listening()]).toEqual([status, 0])
      await response.arrayBuffer()
    })
  }

  for (const path of ['/once', '/told']) {
    test(`is of no interest once all of the answer to its order is there: ${path}`, async () => {
      const gateway = await createTestGateway({ config: CONFIG, upstream: () => new Response(BYTES, JSON_TYPE) })
      for (const replayed of path === '/once' ? [null, 'true'] : [null]) {
        const { gone, listening } = client()
        const order = { method: 'POST', body: '{}', headers: { 'idempotency-key': 'an-order-of-1' } }
        const response = await gateway.fetch(path, order, { gone })
        expect([response.status, response.headers.get('idempotent-replayed'), listening()]).toEqual([200, replayed, 0])
        expect(await response.json()).toEqual({ a: 1 })
      }
    })
  }

  test('is of no interest once it has a problem for an answer', async () => {
    const gateway = await createTestGateway({
      config: CONFIG,
      upstream: () => {
        throw new NobodyThere()
      },
    })
    const { gone, listening } = client()
    expect([(await gateway.fetch('/proxied', {}, { gone })).status, listening()]).toEqual([502, 0])
  })

  test('gives up an answer of which more is to come', async () => {
    let signal: AbortSignal | undefined
    const gateway = await createTestGateway({
      config: CONFIG,
      upstream: (request) => {
        signal = request.signal
        return new Response(new ReadableStream())
      },
    })
    const { gone, listening, leave } = client()
    const response = await gateway.fetch('/proxied', {}, { gone })
    expect([response.status, listening(), signal?.aborted]).toEqual([200, 1, false])
    leave()
    expect(signal?.aborted).toBe(true)
  })
})
