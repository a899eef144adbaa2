import { beforeAll, describe, expect, test } from 'bun:test'
import { Ajv, type ValidateFunction } from 'ajv'
import { parse } from 'yaml'
import { builtInPolicies } from '../../policies/index.ts'
import { createJsonSchema } from './json-schema.ts'

let accepts: ValidateFunction

beforeAll(() => {
  accepts = new Ajv({ strict: false, validateFormats: false }).compile(createJsonSchema(builtInPolicies))
})

const SAMPLE = `
version: 1
server:
  host: 127.0.0.1
  port: \${PORT:-8787}
  trust: { hops: 1 }
  limits: { body: 1MiB, headers: 60KiB, timeout: "\${TIMEOUT:-10s}" }
services:
  store: \${REDIS_URL:-memory:}
  outbox: sqlite:.data/outbox.db
upstreams:
  catalog:
    url: http://127.0.0.1:9102
    policies:
      - retry: { attempts: 2 }
      - circuit-breaker: { failure-rate: 50%, minimum-calls: 20, window: 10s, open-for: 5s }
      - timeout: 800ms
  pricing:
    versions:
      stable: { targets: [http://127.0.0.1:9104] }
      canary: { targets: [http://127.0.0.1:9114] }
    policies:
      - gray-release:
          subject: [claims.sub, cookies.sid, client.ip]
          weights: { stable: 90, canary: 10 }
          rules:
            - { when: { headers.x-release: canary }, version: canary }
      - circuit-breaker:
      - timeout: { after: 500ms }
  orders:
    targets: [{ url: http://127.0.0.1:9106, weight: 1 }]
    balance: least-requests
policies:
  signed-in:
    - jwt: { jwks: http://127.0.0.1:9101/jwks.json, issuer: https://users.example, audience: shop, algorithms: [ES256] }
    - rate-limit: { limit: 100, window: 1m, by: claims.sub }
routes:
  status:
    path: /status
    policies:
      - respond: { json: { open: true, since: 2026 } }
  place-order:
    path: /orders
    methods: [POST]
    policies:
      - signed-in
      - publish: { type: order.placed, exchange: shop.events, subject: "{response.body.id}" }
    upstream: orders
  catalog-files:
    path: /catalog/*
    upstream: { name: catalog, path: "/{params.*}" }
    timeout: 2s
`

/** A small valid file with one thing changed. */
function fileWith(change: Record<string, unknown>): unknown {
  return {
    version: 1,
    upstreams: { shop: { url: 'http://shop.test' } },
    routes: { all: { path: '/*', upstream: 'shop' } },
    ...change,
  }
}

const routePolicies = (...policies: unknown[]) =>
  fileWith({ routes: { all: { path: '/*', upstream: 'shop', policies } } })
const upstreamPolicies = (...policies: unknown[]) =>
  fileWith({ upstreams: { shop: { url: 'http://shop.test', policies } } })

describe('the JSON Schema of the file', () => {
  test('accepts a configuration with every kind of section', () => {
    expect([accepts(parse(SAMPLE)), accepts.errors]).toEqual([true, null])
  })

  test.each([
    { name: 'a reference where a number stands', file: fileWith({ server: { port: `\${PORT}` } }) },
    {
      name: 'a reference where a switch stands',
      file: routePolicies({ jwt: { issuer: 'a', audience: false, algorithms: ['ES256'], optional: `\${OPEN}` } }),
    },
    { name: 'a reference within a policy’s duration', file: upstreamPolicies({ timeout: `\${T:-1s}` }) },
    { name: 'a named list beside policies', file: routePolicies('signed-in', { headers: {} }) },
    { name: 'a policy without options', file: routePolicies('headers', { headers: null }) },
  ])('accepts $name', ({ file }) => {
    expect([accepts(file), accepts.errors]).toEqual([true, null])
  })

  test.each([
    { name: 'another version', file: fileWith({ version: 2 }) },
    { name: 'an unknown section', file: fileWith({ upstream: {} }) },
    { name: 'a port that is text', file: fileWith({ server: { port: 'http' } }) },
    { name: 'a duration without a unit', file: upstreamPolicies({ timeout: '800' }) },
    { name: 'an unknown policy', file: routePolicies({ 'rate-limt': {} }) },
    { name: 'an unknown option', file: upstreamPolicies({ retry: { attemps: 2 } }) },
    { name: 'two policies in one entry', file: upstreamPolicies({ retry: {}, timeout: '1s' }) },
    { name: 'an entry with nothing in it', file: upstreamPolicies({}) },
    { name: 'a route policy on an upstream', file: upstreamPolicies({ cors: { origins: '*' } }) },
    { name: 'the bare name of a route policy on an upstream', file: upstreamPolicies('headers') },
    { name: 'an upstream policy on a route', file: routePolicies({ timeout: '1s' }) },
    { name: 'a policy that lacks an option it needs', file: routePolicies({ publish: { type: 'a' } }) },
    {
      name: 'an upstream with two kinds of address',
      file: fileWith({ upstreams: { shop: { url: 'http://a.test', targets: ['http://b.test'] } } }),
    },
    { name: 'an upstream without an address', file: fileWith({ upstreams: { shop: {} } }) },
    {
      name: 'a method in small letters',
      file: fileWith({ routes: { all: { path: '/', methods: ['get'], upstream: 'shop' } } }),
    },
  ])('refuses $name', ({ file }) => {
    expect(accepts(file)).toBe(false)
  })

  test('describes every option for the editor', () => {
    const { definitions } = createJsonSchema(builtInPolicies)
    expect(JSON.stringify(definitions)).toContain('Tries in all, the first included')
  })
})
