import { describe, expect, test } from 'bun:test'
import { builtInPolicies } from '../../policies/index.ts'
import { mistakesOf } from '../../tests/support/config-mistakes.ts'
import { loadConfig } from './load.ts'

const registry = new Map(builtInPolicies.map((policy) => [policy.name, policy]))
const file = (topology: unknown, policies: unknown = ['respond']) =>
  JSON.stringify({ version: 1, topology, routes: { a: { path: '/', policies } } })
const planOf = (text: string) => loadConfig(text, { file: 'gateway.yaml', registry })

const QUEUE = { exchange: 'shop.events', bind: ['order.placed'] }
const withQueue = (queue: object, name = 'warehouse.order-placed') =>
  file({ exchanges: ['shop.events'], queues: { [name]: { ...QUEUE, ...queue } } })

describe('topology', () => {
  test('is spelt out with the names and arguments that consumers rely on', () => {
    expect(planOf(withQueue({ retry: ['10s', '1500ms', '2m'] })).topology).toEqual([
      { kind: 'exchange', name: 'shop.events' },
      { kind: 'exchange', name: 'shop.events.dead-letters' },
      {
        kind: 'queue',
        name: 'shop.events.dead-letters',
        arguments: { 'x-queue-type': 'quorum' },
        site: 'topology.exchanges',
      },
      { kind: 'binding', queue: 'shop.events.dead-letters', exchange: 'shop.events.dead-letters', pattern: '#' },
      {
        kind: 'queue',
        name: 'warehouse.order-placed',
        arguments: {
          'x-queue-type': 'quorum',
          'x-overflow': 'reject-publish',
          'x-dead-letter-strategy': 'at-least-once',
          'x-delivery-limit': 10,
          'x-dead-letter-exchange': 'shop.events.dead-letters',
          'x-dead-letter-routing-key': 'warehouse.order-placed',
        },
        site: 'topology.queues.warehouse.order-placed',
      },
      ...[
        ['10s', 10_000],
        ['1500ms', 1_500],
        ['120s', 120_000],
      ].map(([name, ttl]) => ({
        kind: 'queue' as const,
        name: `warehouse.order-placed.retry-${name}`,
        arguments: {
          'x-queue-type': 'quorum',
          'x-overflow': 'reject-publish',
          'x-dead-letter-strategy': 'at-least-once',
          'x-message-ttl': Number(ttl),
          'x-dead-letter-exchange': '',
          'x-dead-letter-routing-key': 'warehouse.order-placed',
        },
        site: 'topology.queues.warehouse.order-placed',
      })),
      { kind: 'binding', queue: 'warehouse.order-placed', exchange: 'shop.events', pattern: 'order.placed' },
    ])
  })

  test('has three retry queues when nothing is said, and none when an empty list is', () => {
    const retries = (text: string) =>
      planOf(text).topology.flatMap((it) =>
        it.kind === 'queue' && it.name.includes('retry') ? [it.name.slice(-9)] : [],
      )
    expect(retries(withQueue({}))).toEqual(['retry-10s', 'retry-30s', 'retry-90s'])
    expect(retries(withQueue({ retry: [] }))).toEqual([])
  })

  test('needs a broker even where no route announces anything; without it and without them there is none', () => {
    expect(planOf(withQueue({})).announces).toBe(true)
    expect(planOf(file({}))).toMatchObject({ announces: false, topology: [] })
  })

  test('declares an exchange that a route publishes to, and nothing for its dead letters', () => {
    const publish = { publish: { type: 'order.placed', exchange: 'shop.events' } }
    const text = JSON.stringify({
      version: 1,
      upstreams: { orders: { url: 'http://orders.test' } },
      routes: { a: { path: '/', policies: [publish], upstream: 'orders' } },
    })
    expect(planOf(text).topology).toEqual([{ kind: 'exchange', name: 'shop.events' }])
  })
})

const long = `warehouse.${'x'.repeat(240)}`

describe('a mistake in topology', () => {
  test.each([
    {
      name: 'an unknown exchange',
      text: withQueue({ exchange: 'shop.event' }),
      told: 'topology.queues.warehouse.order-placed.exchange  unknown exchange "shop.event"; did you mean "shop.events"?',
    },
    {
      name: 'an exchange that is listed nowhere',
      text: file({ queues: { q: QUEUE } }),
      told: 'topology.queues.q.exchange  unknown exchange "shop.events"; list it in topology.exchanges',
    },
    {
      name: 'the same exchange twice',
      text: file({ exchanges: ['a', 'b', 'a'] }),
      told: 'topology.exchanges[2]  the exchange "a" stands twice',
    },
    {
      name: 'an exchange with the name of dead letters',
      text: file({ exchanges: ['a', 'a.dead-letters'] }),
      told: 'topology.exchanges[0]  the exchange "a.dead-letters" stands twice: "a" brings one of that name',
    },
    {
      name: 'a queue with the name of a retry queue',
      text: file({ exchanges: ['shop.events'], queues: { q: QUEUE, 'q.retry-30s': { ...QUEUE, retry: [] } } }),
      told: 'topology.queues.q.retry[1]  the queue "q.retry-30s" stands twice: "q" brings one of that name',
    },
    {
      name: 'the same delay in two words',
      text: withQueue({ retry: ['60s', '1m'] }),
      told: 'topology.queues.warehouse.order-placed.retry[1]  the queue "warehouse.order-placed.retry-60s" stands twice: "warehouse.order-placed" brings one of that name',
    },
    {
      name: 'the same pattern twice',
      text: withQueue({ bind: ['a', 'a'] }),
      told: 'topology.queues.warehouse.order-placed.bind[1]  "a" stands twice',
    },
    {
      name: 'a wildcard inside a word',
      text: withQueue({ bind: ['order.p*'] }),
      told: 'topology.queues.warehouse.order-placed.bind[0]  expected "*" and "#" as whole words, as in "order.*" (one word) or "order.#" (any number), found "order.p*"',
    },
    {
      name: 'no pattern',
      text: withQueue({ bind: [] }),
      told: 'topology.queues.warehouse.order-placed.bind  expected at least 1 entry, found an empty list',
    },
    {
      name: 'a name of the broker',
      text: withQueue({}, 'amq.orders'),
      told: 'topology.queues.amq.orders  names that begin with "amq." are the broker\'s own: choose another',
    },
    {
      name: 'a name that takes more than 255 bytes',
      text: file({ exchanges: ['é'.repeat(128)] }),
      told: 'topology.exchanges[0]  is longer than the 255 bytes that AMQP carries',
    },
    {
      name: 'a name that is too long with its ending',
      text: withQueue({}, long),
      told: `topology.queues.${long}.retry[0]  the name of its queue "${`${long}.retry-10s`.slice(-40)}" takes 260 bytes, 255 fit: choose a shorter one`,
    },
    {
      name: 'a delay no broker takes',
      text: withQueue({ retry: ['50d'] }),
      told: 'topology.queues.warehouse.order-placed.retry[0]  is longer than a message can wait on the broker: at most 49d',
    },
    {
      name: 'a limit that never lets anything go',
      text: withQueue({ 'delivery-limit': 0 }),
      told: 'topology.queues.warehouse.order-placed.delivery-limit  expected at least 1, found 0',
    },
    {
      name: 'a misspelt key',
      text: withQueue({ 'delivery-limits': 3 }),
      told: 'topology.queues.warehouse.order-placed.delivery-limits  unknown key "delivery-limits"; did you mean "delivery-limit"?',
    },
  ])('is told with its place: $name', ({ text, told }) => {
    expect(mistakesOf(text).map((line) => line.replace(/^\d+:\d+ {2}/, ''))).toContain(told)
  })
})
