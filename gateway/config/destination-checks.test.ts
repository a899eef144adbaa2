import { describe, expect, test } from 'bun:test'
import { builtInPolicies } from '../../policies/index.ts'
import { mistakesOf } from '../../tests/support/config-mistakes.ts'
import { loadConfig } from './load.ts'
import { describeMistake } from './mistake.ts'

const registry = new Map(builtInPolicies.map((policy) => [policy.name, policy]))
const QUEUE = 'warehouse.order-placed: { exchange: shop.events, bind: [order.placed, stock.*] }'

/** A file with a `topology` and what `publish` says of type and address. */
const file = (topology: string, publish: string) => `version: 1
topology: ${topology}
upstreams: { orders: { url: http://orders.test } }
routes: { a: { path: /, policies: [{ publish: ${publish} }], upstream: orders } }
`
const noticesOf = (text: string) =>
  loadConfig(text, { file: 'f', registry }).notices.map((notice) => describeMistake(notice))

describe('an exchange that topology does not have', () => {
  const topology = `{ exchanges: [nc7.events, shop.events], queues: { ${QUEUE} } }`

  test('is a mistake, with the name it was probably meant to have', () => {
    expect(mistakesOf(file(topology, '{ type: order.placed, exchange: nc7.event }'))).toEqual([
      '4:79  routes.a.policies[0].publish.exchange  topology has no exchange "nc7.event"; did you mean "nc7.events"?',
    ])
  })

  test('or else with what to do when it is right', () => {
    expect(mistakesOf(file(topology, '{ type: order.placed, exchange: billing }'))).toEqual([
      '4:79  routes.a.policies[0].publish.exchange  topology has no exchange "billing"; list it in topology.exchanges, or in other-exchanges if it is not yours',
    ])
  })

  test('is one for a command too', () => {
    const text = `version: 1
topology: { exchanges: [shop.commands] }
routes:
  order: { path: /o, methods: [POST], policies: [{ enqueue: { type: a, exchange: shop.comands, status-path: "/c/{command.id}" } }] }
  status: { path: "/c/:id", methods: [GET], policies: [{ command-status: { id: params.id } }] }
`
    expect(mistakesOf(text)).toEqual([
      '4:82  routes.order.policies[0].enqueue.exchange  topology has no exchange "shop.comands"; did you mean "shop.commands"?',
    ])
  })

  test.each([
    { name: 'there is no topology', topology: '{}', exchange: 'anything' },
    { name: "it is listed as somebody else's", topology: '{ exchanges: [a], other-exchanges: [b] }', exchange: 'b' },
    { name: "it is the broker's own", topology: '{ exchanges: [a] }', exchange: 'amq.topic' },
  ])('is none where $name', ({ topology, exchange }) => {
    expect(mistakesOf(file(topology, `{ type: order.placed, exchange: ${exchange} }`))).toEqual([])
  })

  test('is not told where a name of the list cannot be read', () => {
    expect(mistakesOf(file('{ exchanges: [a, 5] }', '{ type: order.placed, exchange: b }'))).toEqual([
      '2:28  topology.exchanges[1]  expected the name of an exchange such as "shop.events", found 5',
    ])
  })

  test("somebody else's cannot be one of the gateway's", () => {
    expect(mistakesOf(file('{ exchanges: [a], other-exchanges: [a] }', '{ type: order.placed, exchange: a }'))).toEqual(
      ['2:47  topology.other-exchanges[0]  "a" is in topology.exchanges too: leave it out of one of them'],
    )
  })
})

describe('a routing key that no queue of the file takes', () => {
  const topology = `{ exchanges: [shop.events, other.events], queues: { ${QUEUE} } }`

  test('is a notice, and the file is right', () => {
    expect(noticesOf(file(topology, '{ type: order.plaecd, exchange: shop.events }'))).toEqual([
      'f:4:55  routes.a.policies[0].publish.type  no queue of topology takes "order.plaecd" of "shop.events": it is parked unless a consumer binds one; did you mean "order.placed"?',
    ])
  })

  test('is told at the routing key where one is written', () => {
    expect(
      noticesOf(file(topology, '{ type: order.placed, exchange: shop.events, routing-key: a.b.c }')).map((notice) =>
        notice.split('  ').slice(1, 2).join(),
      ),
    ).toEqual(['routes.a.policies[0].publish.routing-key'])
  })

  test.each([
    { name: 'a queue takes it by its name', publish: '{ type: order.placed, exchange: shop.events }' },
    { name: 'a queue takes it by a pattern', publish: '{ type: stock.low, exchange: shop.events }' },
    { name: 'the exchange has no queue in the file', publish: '{ type: any.thing, exchange: other.events }' },
  ])('is not told where $name', ({ publish }) => {
    expect(noticesOf(file(topology, publish))).toEqual([])
  })
})

test("an exchange of somebody else's only has to be there", () => {
  const text = file('{ exchanges: [a], other-exchanges: [b] }', '{ type: order.placed, exchange: b }')
  expect(loadConfig(text, { file: 'f', registry }).topology.filter(({ kind }) => kind === 'exchange')).toEqual([
    { kind: 'exchange', name: 'a' },
    { kind: 'exchange', name: 'b', isOthers: true },
    { kind: 'exchange', name: 'a.dead-letters' },
  ])
})
