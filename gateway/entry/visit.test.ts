import { describe, expect, test } from 'bun:test'
import { arrivedExchange } from '../../tests/support/arrived-exchange.ts'
import { createVirtualClock } from '../../tests/support/virtual-clock.ts'
import { GatewayError } from '../core/errors.ts'
import { type Leave, Visit } from './visit.ts'

/** A visit whose pipeline is still busy. `left` holds every response that went through the door. */
function visiting(leave: Leave = (_, response) => response) {
  const request = new Request('http://shop.test/a', { headers: { host: 'shop.test' } })
  const client = { ip: undefined, trusted: false, protocol: 'http', host: 'shop.test' } as const
  const left: Response[] = []
  const visit = new Visit({ request, userAgent: undefined, id: 'a', client, startedAt: 0 }, (self, response) => {
    left.push(response)
    return leave(self, response)
  })
  const { exchange, stop } = arrivedExchange({ request, client })
  visit.begin(exchange, stop)
  return { visit, exchange, left }
}

/** A response that says whether its body was given up. */
function watched() {
  let isCancelled = false
  const body = new ReadableStream({
    cancel() {
      isCancelled = true
    },
  })
  return { response: new Response(body), isCancelled: () => isCancelled }
}

describe('a visit', () => {
  test('gets the first answer, and the body of a later one is given up', async () => {
    const { visit, left } = visiting()
    const [first, second] = [watched(), watched()]
    visit.settle(first.response)
    visit.settle(second.response)
    expect(await visit.answer).toBe(first.response)
    expect(left).toHaveLength(1)
    expect([first.isCancelled(), second.isCancelled()]).toEqual([false, true])
  })

  test('ends at its deadline, and takes it back when it is answered before', async () => {
    for (const isAnswered of [false, true]) {
      const { visit, exchange } = visiting()
      const clock = createVirtualClock()
      visit.endAfter(100, clock)
      await clock.advance(99)
      if (isAnswered) visit.settle(new Response('ok'))
      await clock.advance(1)
      expect([(await visit.answer).status, exchange.signal.aborted]).toEqual(isAnswered ? [200, false] : [504, true])
    }
  })

  test('is answered at once when it is aborted, and its unfinished calls end as it does', async () => {
    const { visit, exchange } = visiting()
    exchange.record.calls.push({ upstream: 'done', attempts: 1, durationMs: 3 }, { upstream: 'busy', attempts: 1 })
    visit.abort(new GatewayError('upstream-timeout'))
    expect((await visit.answer).status).toBe(504)
    expect(exchange.signal.aborted).toBe(true)
    expect(exchange.record.calls.map(({ failure }) => failure)).toEqual([undefined, 'upstream-timeout'])
  })

  test('ends when its client leaves, before and after the answer', async () => {
    for (const isAnswered of [false, true]) {
      const { visit, exchange, left } = visiting()
      const gone = new AbortController()
      visit.heed(gone.signal)
      if (isAnswered) visit.settle(new Response('ok'))
      gone.abort()
      expect((await visit.answer).status).toBe(isAnswered ? 200 : 499)
      expect(exchange.signal.reason).toMatchObject({ name: 'ClientGone' })
      expect(exchange.record.failure).toBe(isAnswered ? undefined : 'client-gone')
      expect(left).toHaveLength(1)
    }
  })

  test('does not begin for a client that has left already', async () => {
    const { visit, exchange } = visiting()
    visit.heed(AbortSignal.abort())
    expect((await visit.answer).status).toBe(499)
    expect(exchange.signal.aborted).toBe(true)
  })

  test('hands on what goes wrong at the door, instead of waiting for ever', async () => {
    const { visit } = visiting(() => {
      throw new Error('no log')
    })
    visit.settle(new Response('ok'))
    await expect(visit.answer).rejects.toThrow('no log')
  })
})
