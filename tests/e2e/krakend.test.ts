import { afterAll, describe, expect, test } from 'bun:test'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { SignJWT } from 'jose'
import { startGateway } from '../../gateway/runtimes/bun/start.ts'
import { recordTelemetry } from '../support/recorded-telemetry.ts'
import { krakendUpstream } from './krakend-upstream.ts'
import { SERVICES } from './scene.ts'

/** The published specs of KrakenD, answered by a configuration of ours for the same jobs: `krakend.yaml`. */

const ROOT = join(import.meta.dir, '../..')
const vectors = process.env.TEST_VECTORS
const SECRET = 'a secret of this test, and long enough for HS256'

interface Spec {
  readonly in: {
    readonly method?: string
    readonly url: string
    readonly header?: Record<string, string>
    readonly body?: unknown
  }
  readonly out: {
    readonly status_code: number
    readonly body?: unknown
    readonly header?: Readonly<Record<string, readonly string[]>>
  }
}

/** Where ours is another answer on purpose. What is not named is as the spec has it. */
interface Difference {
  readonly status?: number
  readonly complete?: '?0' | '?1' | null
  readonly cacheControl?: string | null
  /** What the answer must hold, in place of the body of the spec. */
  readonly body?: unknown
  /** `Composition-Status` without durations. */
  readonly composition?: string
}

const PASSED: Difference = { complete: null }
const refused = (code: string, status: number, complete: Difference['complete'] = null): Difference => ({
  status,
  complete,
  // What a problem is for is said by its own fields; KrakenD sends no caching for it, which leaves it to guessing.
  cacheControl: 'no-store',
  body: { type: `urn:sluice:problem:${code}`, status },
})
const moved = (status: number): Difference => ({
  ...refused('upstream-invalid-response', 502, '?0'),
  composition: `moved;failed;error="status";status=${status}`,
})

/** One line for each spec; the reasons are in `docs/composition.md`. */
const ANSWERED: Readonly<Record<string, Difference>> = {
  'backend_301.json': moved(301),
  'backend_302.json': moved(302),
  'backend_303.json': moved(303),
  'backend_307.json': moved(307),
  'backend_404.json': {
    ...refused('upstream-invalid-response', 502, '?0'),
    composition: 'unknown;failed;error="status";status=404',
  },
  'cel-1.json': {
    status: 200,
    complete: '?1',
    body: {},
    cacheControl: 'private, no-cache',
    composition: 'backend1;skipped, backend2;skipped',
  },
  'cel-2.json': {
    status: 200,
    complete: '?1',
    body: {},
    cacheControl: 'private, no-cache',
    composition: 'backend1;skipped, backend2;skipped',
  },
  'cel-4.json': { complete: '?1', cacheControl: 'private, max-age=3600', composition: 'backend1;ok, backend2;skipped' },
  'cel-5.json': { cacheControl: 'private, max-age=3600' },
  'cel-6.json': refused('invalid-credentials', 401),
  'cel-7.json': { cacheControl: 'private, no-cache' },
  'collection.json': {},
  'detail_error.json': {
    cacheControl: 'no-store',
    body: { foo: 42, path: '/param_forwarding/', query: {} },
    composition: 'backend_a;ok, backend_b;failed;error="status";status=404',
  },
  'integration_no_body.json': {},
  'integration_schema.json': {},
  'jwt_1.json': refused('forbidden', 403),
  'jwt_2.json': refused('invalid-credentials', 401),
  'no-op_1.json': { ...PASSED, cacheControl: 'public, max-age=3600' },
  'param_forwarding_1.json': { cacheControl: 'private, max-age=3600' },
  'param_forwarding_2.json': PASSED,
  'param_forwarding_4.json': { cacheControl: null },
  'query_forwarding_1.json': PASSED,
  'query_forwarding_2.json': PASSED,
  'router_401_1.json': refused('missing-credentials', 401),
  'router_404.json': refused('route-not-found', 404),
  'router_405.json': refused('method-not-allowed', 405),
  'router_redirect.json': refused('route-not-found', 404),
  'sequential_1.json': {},
  'sequential_3.json': {},
  'sequential_4.json': { body: { foo: 42, path: '/param_forwarding/{"message":"pong"}', query: {} } },
  'timeout.json': { cacheControl: 'no-store', composition: 'first;ok, second;failed;error="timeout"' },
}

/** What Sluice does not do, or does elsewhere. */
const NOT_OURS: Readonly<Record<string, string>> = {
  'integration_jsonschema.json': 'the health of KrakenD, with its fields, on the port of the clients',
  'jwt_4.json': 'a gateway that issues tokens',
}

if (vectors) {
  const specs = new Map(
    readdirSync(join(vectors, 'krakend'))
      .filter((name) => name.endsWith('.json'))
      .map((name) => [name, JSON.parse(readFileSync(join(vectors, 'krakend', name), 'utf8')) as Spec]),
  )
  const upstream = krakendUpstream()
  const folder = mkdtempSync(join(tmpdir(), 'sluice-krakend-'))
  const file = join(folder, 'gateway.yaml')
  const written = readFileSync(join(import.meta.dir, 'krakend.yaml'), 'utf8')
    .replace('http://127.0.0.1:8081', upstream.url)
    .replace('SECRET }', `${JSON.stringify(SECRET)} }`)
  writeFileSync(file, `${written}\nservices: ${JSON.stringify(SERVICES)}\n`)
  const gateway = await startGateway({ config: file, port: 0, adminPort: 0, log: recordTelemetry().log })

  afterAll(async () => {
    await gateway.stop()
    await upstream.close()
    rmSync(folder, { recursive: true, force: true })
  })

  describe('the specs of KrakenD', () => {
    test('are all answered, or listed with the reason', () => {
      const page = readFileSync(join(ROOT, 'docs/composition.md'), 'utf8')
      expect([...Object.keys(ANSWERED), ...Object.keys(NOT_OURS)].sort()).toEqual([...specs.keys()].sort())
      for (const [name, difference] of Object.entries(ANSWERED)) {
        if (isOnPurpose(difference)) expect(page, `${name} is answered otherwise`).toContain(`\`${name}\``)
      }
      for (const name of Object.keys(NOT_OURS)) expect(page, `${name} is not answered`).toContain(`\`${name}\``)
    })

    for (const [name, difference] of Object.entries(ANSWERED)) {
      const spec = specs.get(name)
      if (!spec) continue
      test(name, async () => {
        const response = await ask(spec)
        expect(response.status).toBe(difference.status ?? spec.out.status_code)
        expect(response.headers.get('composition-complete')).toBe(completeness(spec, difference))
        expect(response.headers.get('cache-control')).toBe(caching(spec, difference))
        if (difference.composition !== undefined) {
          expect(response.headers.get('composition-status')?.replace(/;dur=\d+/g, '')).toBe(difference.composition)
        }
        expect(response.headers.getSetCookie()).toEqual([...(spec.out.header?.['Set-Cookie'] ?? cookiesOf(name))])
        const body: unknown = await response.json()
        if (difference.status !== undefined && difference.status >= 400)
          return expect(body).toMatchObject(Object(difference.body))
        expect(response.headers.get('content-type')).toStartWith('application/json')
        const expected = difference.body ?? spec.out.body
        if (expected === undefined) expect(Object.keys(Object(body))).not.toHaveLength(0)
        else
          expect(aboutTheSpec(body, spec)).toEqual(
            aboutTheSpec(typeof expected === 'string' ? JSON.parse(expected) : expected, spec),
          )
      })
    }
  })

  async function ask({ in: { method = 'GET', url, header = {}, body } }: Spec): Promise<Response> {
    const { pathname, search } = new URL(url)
    const headers = new Headers(header)
    const token = /^bearer ([\w-]+\.([\w-]+)\.[\w-]+)$/.exec(headers.get('authorization') ?? '')
    if (token) headers.set('authorization', `bearer ${await signedAgain(token[2] ?? '')}`)
    if (body !== undefined) headers.set('content-type', 'application/json')
    const sent = body === undefined ? null : JSON.stringify(body)
    return fetch(new URL(pathname + search, gateway.url), { method, headers, body: sent, redirect: 'manual' })
  }
} else {
  test('the specs of KrakenD need the folder of test vectors, which CI must name', () => {
    expect(process.env.CI, 'TEST_VECTORS is not set').not.toBe('true')
    process.stderr.write('LEFT OUT: the specs of KrakenD; set TEST_VECTORS to the folder that holds them\n')
  })
}

/**
 * The same claims, signed with the key of this test: that of KrakenD is not published with the specs. What is no token of
 * claims stays as it is. A claim named by a URL gets a name that a template can say.
 */
async function signedAgain(payload: string): Promise<string> {
  const text = Buffer.from(payload, 'base64url').toString()
  if (!text.startsWith('{')) return `a.${payload}.token`
  const { 'http://example.com/custom': custom, ...claims } = JSON.parse(text) as Record<string, unknown>
  return new SignJWT({ ...claims, custom }).setProtectedHeader({ alg: 'HS256' }).sign(new TextEncoder().encode(SECRET))
}

/** `X-Krakend-Completed: true` is said as `Composition-Complete: ?1`; where KrakenD does not compose, nor do we. */
function completeness({ out: { header = {} } }: Spec, difference: Difference): string | null {
  if (difference.complete !== undefined) return difference.complete
  return header['X-Krakend-Completed']?.[0] === 'true' ? '?1' : '?0'
}

function caching({ out: { header = {} } }: Spec, difference: Difference): string | null {
  if (difference.cacheControl !== undefined) return difference.cacheControl
  return header['Cache-Control']?.[0] || null
}

/** The mock sets two cookies; plain routes pass them on, aggregates only what `response-headers` names. */
function cookiesOf(name: string): readonly string[] {
  return PASSED === ANSWERED[name] ? ['test1=test1', 'test2=test2'] : []
}

function isOnPurpose({ status, body, complete }: Difference): boolean {
  return status !== undefined || body !== undefined || complete === '?1'
}

/**
 * An echoed request without the fields that each gateway writes in its own name (`User-Agent`, `Accept-Encoding`,
 * `X-Forwarded-*`, …): of its header fields those are compared that the client of some spec sends.
 */
function aboutTheSpec(body: unknown, spec: Spec): unknown {
  if (Array.isArray(body) || typeof body !== 'object' || body === null) return body
  const asked = new Set(['Authorization', 'X-Y-Z', 'A-B-C', 'X-Header'])
  const entries = Object.entries(body).flatMap(([name, value]) => {
    if (name !== 'headers') return [[name, aboutTheSpec(value, spec)] as const]
    const kept = Object.entries(Object(value)).filter(([field]) => asked.has(field))
    return kept.length === 0 ? [] : [[name, Object.fromEntries(kept)] as const]
  })
  return Object.fromEntries(entries)
}
