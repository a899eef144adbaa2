import { describe, expect, test } from 'bun:test'
import { mistakesOf } from '../../tests/support/config-mistakes.ts'

/** Everything that can be wrong, all at once. */
const BROKEN = `version: 2
sever: {}
server:
  host: ""
  port: 70000
  trust: { hops: 0 }
  limits: { body: 10, timeout: 5 }
services:
  store: mysql://root:hunter2@db
  brokr: "embedded:"
upstreams:
  catalog:
    url: http://169.254.169.254
    balance: random-robin
    policies:
      - timeot: 1s
      - retry: { attempts: many, attemps: 2 }
      - cors: { origins: ["https://a.test"] }
  pricing:
    versions:
      stable: { targets: [http://a.test] }
      canary: { targets: [http://b.test] }
    policies:
      - gray-release: { weights: { stabel: 90, canary: 10 } }
  plain:
    versions:
      stable: { targets: [http://a.test] }
      canary: { targets: [http://b.test] }
  Orders:
    url: http://a.test
policies:
  signed-in:
    - signed-out
    - jwt: { jwks: "https://id.test/jwks", issuer: a, audience: b, algorithms: [ES256] }
  signed-out:
    - rate-limit: { limit: 5, window: 1m, by: client.pi }
routes:
  one:
    path: /a/:id
    methods: [GTE]
    upstream: catlog
  two:
    path: /b/:id/:id
    upstream: { name: catalog, path: "/{params.idd}" }
  three:
    path: /c
    policies:
      - redirect: { to: /d }
      - headers: {}
    upstream: catalog
  four:
    path: /d/:x
    policies: [singed-in]
  five:
    path: /d/:y
    policies:
      - idempotency: {}
      - respond: { text: "{claim.sub}" }
  six:
    path: e
    timeout: \${UNSET}
  seven:
    path: /f
`

test('every mistake of a file is told at once, in the order of the file', () => {
  expect(mistakesOf(BROKEN)).toEqual([
    '1:10  version  expected version: 1, found 2',
    '2:1  sever  unknown key "sever"; did you mean "server"?',
    '4:9  server.host  must not be empty',
    '5:9  server.port  expected a port number, found 70000',
    '6:18  server.trust.hops  expected at least 1, found 0',
    '7:19  server.limits.body  expected a size with its unit, such as "64KiB" or "1MiB", found 10',
    '7:32  server.limits.timeout  expected a duration with its unit, such as "800ms", "10s" or "1m", found 5',
    '9:10  services.store  expected memory:, sqlite:<path>, redis://…, rediss://… or upstash:, found "mysql:…"',
    '10:3  services.brokr  unknown key "brokr"; did you mean "broker"?',
    '13:10  upstreams.catalog.url  "169.254.169.254" is a link-local address, where no service lives',
    '14:14  upstreams.catalog.balance  expected one of "round-robin", "random", "least-requests", "p2c-ewma", "hash", found "random-robin"; did you mean "round-robin"?',
    '16:9  upstreams.catalog.policies[0]  unknown policy "timeot"; did you mean "timeout"?',
    '17:28  upstreams.catalog.policies[1].retry.attempts  expected a number, found "many"',
    '17:34  upstreams.catalog.policies[1].retry.attemps  unknown key "attemps"; did you mean "attempts"?',
    '18:9  upstreams.catalog.policies[2]  "cors" works around a whole route: move it to routes.<name>.policies',
    '24:44  upstreams.pricing.policies[0].gray-release.weights.stabel  unknown version "stabel" of pricing; did you mean "stable"?',
    '26:5  upstreams.plain.versions  nothing chooses among the versions: add a gray-release policy to this upstream',
    '29:3  upstreams.Orders  expected a name in kebab-case such as "product-page", found "Orders"',
    '33:7  policies.signed-in[0]  "signed-out" is a named list: lists cannot hold lists',
    '36:47  policies.signed-out[0].rate-limit.by  unknown name "pi" in "client.pi"; did you mean "ip"?',
    '40:15  routes.one.methods[0]  expected one of "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", found "GTE"; did you mean "GET"?',
    '41:15  routes.one.upstream  unknown upstream "catlog"; did you mean "catalog"?',
    '43:11  routes.two.path  the parameter "id" stands twice',
    '44:38  routes.two.upstream.path  unknown parameter "idd" in "params.idd"; did you mean "id"?',
    '49:9  routes.three.policies[1]  "headers" never runs: "redirect" before it ends the chain',
    '50:5  routes.three.upstream  the upstream is never reached: "redirect" ends the chain',
    '53:16  routes.four.policies[0]  unknown policy "singed-in"; did you mean "signed-in"?',
    '55:11  routes.five.path  "/d/:y" answers the same requests as route "four" (/d/:x)',
    '58:26  routes.five.policies[1].respond.text  unknown name "claim" in "claim.sub"; did you mean "claims"?',
    '60:11  routes.six.path  expected a path such as "/products/:id" or "/files/*" (parameters are whole segments, "*" comes last), found "e"',
    `61:14  routes.six.timeout  environment variable UNSET is not set: set it, or give a default as in \${UNSET:-…}`,
    '62:3  routes.seven  the route leads nowhere: give it an upstream, or a policy that ends the chain',
  ])
})

/** Misspelt keys, each with mistakes beneath it. */
const MISSPELT = `version: 1
topolgy:
  exchanges: [shop.events]
  queues:
    warehouse.order-placed: { exchange: shop.event, bindings: [order.placed], bind: ["a*"], retry: [2] }
    billing.order-placed: { exchange: billing.events, bind: [order.placed] }
upstreams:
  orders: { ulr: "http://169.254.169.254" }
routes:
  place-order:
    path: /orders
    timeout: 5
    polices:
      - rate-limit: { limt: 5, windw: 1 }
      - publish: { type: order.placed, exchang: shop.events, sujbect: "{respose.body.id}" }
      - publish: { type: order.placed, exchang: shop.events, settle: probe }
    policys: []
    upstrem: ordres
`

test('a misspelt key hides nothing of what stands beneath and beside it', () => {
  expect(mistakesOf(MISSPELT)).toEqual([
    '2:1  topolgy  unknown key "topolgy"; did you mean "topology"?',
    '5:41  topolgy.queues.warehouse.order-placed.exchange  unknown exchange "shop.event"; did you mean "shop.events"?',
    '5:53  topolgy.queues.warehouse.order-placed.bindings  unknown key "bindings": expected one of exchange, bind, delivery-limit, retry',
    '5:86  topolgy.queues.warehouse.order-placed.bind[0]  expected "*" and "#" as whole words, as in "order.*" (one word) or "order.#" (any number), found "a*"',
    '5:101  topolgy.queues.warehouse.order-placed.retry[0]  expected a duration with its unit, such as "800ms", "10s" or "1m", found 2',
    '6:39  topolgy.queues.billing.order-placed.exchange  unknown exchange "billing.events"; list it in topology.exchanges',
    '8:13  upstreams.orders.ulr  unknown key "ulr"; did you mean "url"?',
    '8:18  upstreams.orders.ulr  "169.254.169.254" is a link-local address, where no service lives',
    '12:14  routes.place-order.timeout  expected a duration with its unit, such as "800ms", "10s" or "1m", found 5',
    '13:5  routes.place-order.polices  unknown key "polices"; did you mean "policies"?',
    '14:23  routes.place-order.polices[0].rate-limit.limt  unknown key "limt"; did you mean "limit"?',
    '14:32  routes.place-order.polices[0].rate-limit.windw  unknown key "windw"; did you mean "window"?',
    '14:39  routes.place-order.polices[0].rate-limit.windw  expected a duration with its unit, such as "800ms", "10s" or "1m", found 1',
    '15:40  routes.place-order.polices[1].publish.exchang  unknown key "exchang"; did you mean "exchange"?',
    '15:62  routes.place-order.polices[1].publish.sujbect  unknown key "sujbect"; did you mean "subject"?',
    '15:71  routes.place-order.polices[1].publish.sujbect  unknown name "respose" in "respose.body.id"; did you mean "response"?',
    '16:40  routes.place-order.polices[2].publish.exchang  unknown key "exchang"; did you mean "exchange"?',
    '16:70  routes.place-order.polices[2].publish.settle  probe needs the path to ask at: add probe: "/orders/by-key/{headers.idempotency-key}"',
    '17:5  routes.place-order.policys  unknown key "policys"; did you mean "policies"?',
    '18:5  routes.place-order.upstrem  unknown key "upstrem"; did you mean "upstream"?',
    '18:14  routes.place-order.upstrem  unknown upstream "ordres"; did you mean "orders"?',
  ])
})

test('a mistake a named list brings to several routes is told once', () => {
  const text = `version: 1
policies:
  quick: [{ rate-limit: { limit: 0, window: 1s } }]
routes:
  a: { path: /a, policies: [quick, respond] }
  b: { path: /b, policies: [quick, respond] }
`
  expect(mistakesOf(text)).toEqual(['3:34  policies.quick[0].rate-limit.limit  expected at least 1, found 0'])
})

describe('a secret', () => {
  const route = (policies: string) => `routes: { a: { path: /, upstream: u, policies: ${policies} } }`
  const jwt = (keys: string) => route(`[{ jwt: { keys: ${keys}, issuer: a, audience: b, algorithms: [HS256] } }]`)

  test.each([
    ['services: { store: "http://user:hunter2@host" }'],
    ['services: { store: "redis//user:hunter2@host" }'],
    ['services: { broker: "https://user:hun@ter2@hunter2@host/" }'],
    ['services: { broker: [amqp://user:hunter2@host] }'],
    ['services: amqp://user:hunter2@host'],
    ['services: { store: hunter2 }'],
    ['upstreams: { u: { url: http://user:hunter2@host } }'],
    ['upstreams: { u: { url: "htp://user:hunter2@host" } }'],
    ['upstreams: { u: { url: [http://user:hunter2@host] } }'],
    ['upstreams: { u: { targets: ["htp://user:hunter2@host"] } }'],
    [jwt('hunter2')],
    [jwt('[hunter2]')],
    [jwt('[[hunter2]]')],
    [jwt('[{ secret: [hunter2] }]')],
    [jwt('[{ secret: hunter2 }]')],
    [jwt('[{ kty: oct, k: hunter2 }]')],
    [route('[{ jwt: hunter2 }]')],
    [route('[[jwt, hunter2]]')],
    [route('[{ jwt: , keys: [hunter2] }]')],
    [route('[{ api-key: { clients: hunter2 } }]')],
    [route('[{ api-key: { clients: { a: { key: hunter2 } } } }]')],
    [route('[{ api-key: { clients: { a: hunter2 } } }]')],
  ])('is shown in no mistake of %s', (text) => {
    const told = mistakesOf(`version: 1\n${text}\n`)
    expect(told.length).toBeGreaterThan(0)
    expect(told.join('\n')).not.toContain('hunter2')
    expect(told.join('\n')).not.toContain('ter2')
  })
})
