import { describe, expect, test } from 'bun:test'
import { builtInPolicies } from '../../policies/index.ts'
import { loadConfig } from './load.ts'
import { ConfigError } from './mistake.ts'
import type { Plan } from './plan.ts'

const registry = new Map(builtInPolicies.map((policy) => [policy.name, policy]))

function load(text: string, variables: Readonly<Record<string, string>> = {}): Plan {
  const environment = { variable: (name: string) => variables[name], file: () => undefined }
  return loadConfig(text, { file: 'gateway.yaml', registry, environment })
}

const namesOf = (mounts: readonly { policy: { name: string } }[]) => mounts.map(({ policy }) => policy.name)

/** The normative sample of the design, as written. */
const SAMPLE = `# yaml-language-server: $schema=./gateway.schema.json
version: 1

server:
  host: 127.0.0.1
  port: \${PORT:-8787}             # \${NAME}, \${NAME:-default}: environment, resolved at load; \${file:/run/secrets/x} reads a file
  trust: none                     # none · { hops: 1 } · { cidrs: [10.0.0.0/8] } · { platform: cloudflare }
  limits: { body: 1MiB, headers: 60KiB, timeout: 10s }

services:
  store: \${REDIS_URL:-memory:}    # memory: · redis://… · rediss://… · upstash:  (URL and token from the environment)
  broker: \${AMQP_URL:-embedded:}  # embedded: · amqp://… · amqps://…
  outbox: \${OUTBOX:-sqlite:.data/outbox.db}   # sqlite:<path> · memory:   (a Durable Object on Workers)

upstreams:
  catalog:
    url: http://127.0.0.1:9102                # one target
    policies:                                 # around every single call to this upstream, outermost first
      - retry: { attempts: 2 }
      - circuit-breaker: { failure-rate: 50%, minimum-calls: 20, window: 10s, open-for: 5s }
      - timeout: 800ms
  pricing:
    versions:                                 # or versions, each with its targets
      stable: { targets: [http://127.0.0.1:9104] }
      canary: { targets: [http://127.0.0.1:9114] }
    policies:
      - gray-release:
          subject: [claims.sub, cookies.sid, client.ip]      # first one present; same subject, same version
          weights: { stable: 90, canary: 10 }
          rules:
            - { when: { headers.x-release: canary }, version: canary }
      - circuit-breaker: {}
      - timeout: 500ms
  orders:
    targets: [{ url: http://127.0.0.1:9106, weight: 1 }]     # several targets
    balance: least-requests                   # round-robin · random · least-requests · p2c-ewma · hash

policies:                                     # named lists, used by name in any route
  signed-in:
    - jwt: { jwks: http://127.0.0.1:9101/.well-known/jwks.json, issuer: https://users.shop.example, audience: shop, algorithms: [ES256] }
    - rate-limit: { limit: 100, window: 1m, by: claims.sub }

routes:
  product-page:
    path: /products/:id
    methods: [GET]
    policies:
      - rate-limit: { limit: 600, window: 1m, by: client.ip }
      - aggregate:                            # ends the chain
          timeout: 1s
          parts:
            product:    { upstream: catalog,    path: "/products/{params.id}", required: true }
            stock:      { upstream: inventory,  path: "/stock/{params.id}", fallback: { available: null } }
            price:      { upstream: pricing,    path: "/prices/{parts.product.body.sku}", timeout: 400ms }
            promotions: { upstream: promotions, path: "/promotions?sku={parts.product.body.sku}", fallback: [] }
  place-order:
    path: /orders
    methods: [POST]
    policies:
      - signed-in
      - idempotency: { required: true }
      - publish: { type: order.placed, exchange: shop.events, subject: "{response.body.id}", data: "{response.body}" }
    upstream: orders
  catalog-files:
    path: /catalog/*
    methods: [GET, HEAD]
    upstream: { name: catalog, path: "/{params.*}" }
`

/** What the sample leaves out: two of the upstreams its parts call. */
const WHOLE = SAMPLE.replace(
  'upstreams:\n',
  'upstreams:\n  inventory: { url: http://127.0.0.1:9103 }\n  promotions: { url: http://127.0.0.1:9105 }\n',
)

describe('the sample', () => {
  test('loads as written but for the two upstreams it names and does not show', () => {
    let told: readonly string[] = []
    try {
      load(SAMPLE)
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error
      told = error.mistakes.map(({ message }) => message)
    }
    expect(told).toEqual(['unknown upstream "inventory"', 'unknown upstream "promotions"'])
  })

  test('gives the server its defaults', () => {
    expect(load(WHOLE).server).toMatchObject({
      host: '127.0.0.1',
      port: 8787,
      trust: 'none',
      limits: { body: 1_048_576, headers: 61_440, timeout: 10_000, 'header-count': 100 },
      admin: { host: '127.0.0.1', port: 8788 },
      grace: 10_000,
    })
  })

  test('follows the environment', () => {
    const { server, services } = load(WHOLE, { PORT: '80', REDIS_URL: 'redis://r', AMQP_URL: 'amqp://a:b@c' })
    expect(server.port).toBe(80)
    expect(services).toEqual({
      store: 'redis://r',
      broker: 'amqp://a:b@c',
      outbox: 'sqlite:.data/outbox.db',
      journal: 'sqlite:.data/journal.db',
    })
    expect(load(WHOLE).services).toMatchObject({ store: 'memory:', broker: 'embedded:' })
  })

  test('gives every upstream its targets, versions and policies in the order written', () => {
    const upstreams = new Map(load(WHOLE).upstreams.map((upstream) => [upstream.name, upstream]))
    expect([...upstreams.keys()]).toEqual(['inventory', 'promotions', 'catalog', 'pricing', 'orders'])
    expect(upstreams.get('catalog')?.versions).toEqual([
      { name: undefined, targets: [{ url: 'http://127.0.0.1:9102', weight: 1 }] },
    ])
    expect(namesOf(upstreams.get('catalog')?.mounts ?? [])).toEqual(['retry', 'circuit-breaker', 'timeout'])
    expect(upstreams.get('catalog')?.mounts[2]?.options).toEqual({ after: 800 })
    expect(upstreams.get('pricing')?.versions).toEqual([
      { name: 'stable', targets: [{ url: 'http://127.0.0.1:9104', weight: 1 }] },
      { name: 'canary', targets: [{ url: 'http://127.0.0.1:9114', weight: 1 }] },
    ])
    expect(upstreams.get('orders')?.balance).toBe('least-requests')
  })

  test('gives every route its path, policies and end', () => {
    const [page, order, files, ...more] = load(WHOLE).routes
    expect(more).toEqual([])
    expect([page?.name, page?.methods, page?.path.params]).toEqual(['product-page', ['GET'], ['id']])
    expect(namesOf(page?.mounts ?? [])).toEqual(['rate-limit', 'aggregate'])
    expect(page?.upstream).toBe(undefined)
    expect(namesOf(order?.mounts ?? [])).toEqual(['jwt', 'rate-limit', 'idempotency', 'publish'])
    expect(order?.upstream).toEqual({ name: 'orders', path: undefined })
    expect(files?.upstream?.path?.source).toBe('/{params.*}')
    expect([files?.timeoutMs, files?.bodyLimit]).toEqual([10_000, 1_048_576])
  })

  test('names every mount by names and not by its place in the list', () => {
    const [, order] = load(WHOLE).routes
    expect(order?.mounts.map(({ site }) => site.path)).toEqual([
      'routes.place-order.jwt',
      'routes.place-order.rate-limit',
      'routes.place-order.idempotency',
      'routes.place-order.publish',
    ])
  })
})

describe('a plan', () => {
  const small = (route: string) =>
    `version: 1\nupstreams: { main: { url: http://main.test } }\nroutes:\n  all: ${route}\n`

  test('numbers a policy that stands twice', () => {
    const limit = (by: string) => `{ rate-limit: { limit: 1, window: 1s, by: ${by} } }`
    const [route] = load(
      small(`{ path: /, upstream: main, policies: [${limit('client.ip')}, ${limit('query.a')}] }`),
    ).routes
    expect(route?.mounts.map(({ site }) => site.path)).toEqual(['routes.all.rate-limit', 'routes.all.rate-limit#2'])
  })

  test('collects the header fields that only policies may set, each once', () => {
    const jwt = (claims: string) =>
      `{ jwt: { jwks: "https://id.test/jwks", issuer: a, audience: b, algorithms: [ES256], claims-to-headers: { ${claims} } } }`
    const text = `version: 1
upstreams: { main: { url: http://main.test } }
routes:
  one: { path: /one, upstream: main, policies: [${jwt('sub: X-User-Id')}] }
  two: { path: /two, upstream: main, policies: [${jwt('sub: x-user-id, org: x-org')}] }
`
    expect([...load(text).reserved].sort()).toEqual(['x-org', 'x-user-id'])
    expect(load(small('{ path: /, upstream: main }')).reserved).toEqual([])
  })

  test('has the bounds of a route before those of the server', () => {
    const [route] = load(small('{ path: /, upstream: main, timeout: 2s, body: 5MB }')).routes
    expect([route?.timeoutMs, route?.bodyLimit, route?.methods]).toEqual([2_000, 5_000_000, undefined])
  })

  test('says which policies read the request body', () => {
    const limit = (by: string) => `[{ rate-limit: { limit: 1, window: 1s, by: ${by} } }]`
    const reads = ['body.id', 'client.ip'].map(
      (by) => load(small(`{ path: /, upstream: main, policies: ${limit(by)} }`)).routes[0]?.mounts[0]?.readsBody,
    )
    expect(reads).toEqual([true, false])
  })

  test.each([
    ['the same path by another method', 'b: { path: /, methods: [POST], upstream: main }'],
    ['a trailing slash', 'b: { path: /a/, upstream: main }'],
    ['a parameter where the other has a word', 'b: { path: /:id, upstream: main }'],
    ['a rest where the other has a parameter', 'b: { path: "/*", upstream: main }'],
  ])('may hold %s beside another route', (_name, route) => {
    const text = `version: 1\nupstreams: { main: { url: http://main.test } }\nroutes:\n  a: { path: /, methods: [GET], upstream: main }\n  ${route}\n`
    expect(load(text).routes).toHaveLength(2)
  })
})
