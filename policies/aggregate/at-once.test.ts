import { describe, expect, test } from 'bun:test'
import { ReadReply } from '../../gateway/core/read-reply.ts'
import type { Receiver } from '../../gateway/core/receiver.ts'
import { createTestGateway } from '../../tests/support/gateway.ts'

const headers = new Headers({ 'content-type': 'application/json' })
const fields = Object.assign(headers, { toHeaders: () => headers })
const content = new TextEncoder().encode('{"v":1}')

/** Upstreams that are done before `send` returns, so that nothing but a loop keeps calls from starting each other ever deeper. */
const DONE_AT_ONCE = [
  {
    name: 'answers',
    tell: (receiver: Receiver) => receiver.replied(new ReadReply({ status: 200, reason: 'OK', fields }, content)),
    v: 1,
  },
  { name: 'fails', tell: (receiver: Receiver) => receiver.failed(new Error('refused')), v: 2 },
  {
    name: 'throws',
    tell: () => {
      throw new Error('stopped')
    },
    v: 2,
  },
] as const

function openGateway(aggregate: object, tell: (receiver: Receiver) => void) {
  let calls = 0
  const config = {
    version: 1,
    upstreams: { up: { url: 'http://up.test' } },
    routes: { route: { path: '/x', methods: ['GET', 'POST'], policies: [{ aggregate }] } },
  }
  const opening = createTestGateway({
    config: JSON.stringify(config),
    send(_, receiver) {
      calls++
      tell(receiver)
    },
  })
  return { opening, calls: () => calls }
}

const ITEMS = JSON.stringify(Array.from({ length: 10_000 }, (_, i) => i))

const eachOf = (concurrency: number, more: object = {}) => ({
  concurrency,
  memory: '64MiB',
  parts: {
    each: {
      upstream: 'up',
      path: '/{item}',
      'for-each': { items: '{body}', 'at-most': 10_000, concurrency, fallback: { v: 2 } },
      required: false,
      ...more,
    },
  },
})

describe.each(DONE_AT_ONCE)('an upstream that $name at once', ({ tell, v }) => {
  test.each([{ concurrency: 1 }, { concurrency: 16 }])(
    'is asked for ten thousand items, $concurrency at once',
    async ({ concurrency }) => {
      const { opening, calls } = openGateway(eachOf(concurrency), tell)
      const response = await (await opening).fetch('/x', { method: 'POST', body: ITEMS })
      expect(await response.json()).toEqual({ each: Array.from({ length: 10_000 }, () => ({ v })) })
      expect(calls()).toBe(10_000)
    },
  )

  test('is asked by three hundred parts, each of which reads the one before', async () => {
    const names = Array.from({ length: 300 }, (_, i) => `p${i}`)
    const path = (i: number) => (i === 0 ? '/' : `/{parts.p${i - 1}.body.v}`)
    const parts = names.map((name, i) => [name, { upstream: 'up', path: path(i), fallback: { v: 2 } }])
    const { opening, calls } = openGateway({ parts: Object.fromEntries(parts) }, tell)
    const response = await (await opening).fetch('/x')
    expect(await response.json()).toEqual(Object.fromEntries(names.map((name) => [name, { v }])))
    expect(calls()).toBe(300)
  })
})

test('ten thousand replies that are remembered are there at once', async () => {
  const { opening, calls } = openGateway(eachOf(1, { cache: '1m' }), DONE_AT_ONCE[0].tell)
  const gateway = await opening
  for (let i = 0; i < 2; i++) {
    const response = await gateway.fetch('/x', { method: 'POST', body: ITEMS })
    expect(await response.json()).toEqual({ each: Array.from({ length: 10_000 }, () => ({ v: 1 })) })
    expect(calls()).toBe(10_000)
  }
})
