import { describe, expect, test } from 'bun:test'
import { seededRandom } from '../../tests/support/seeded-random.ts'
import type { Call, Exchange } from '../core/exchange.ts'
import { type Next, pipeline } from '../core/pipeline.ts'
import type { FieldList } from '../core/services.ts'
import { Stop } from '../core/stop.ts'
import { createExchange } from '../entry/exchange.ts'
import { UpstreamCall } from './call.ts'
import { addGatewayFields } from './fields.ts'

const NAMES = [
  ...['accept', 'accept-language', 'authorization', 'content-type', 'cookie', 'idempotency-key', 'x-a', 'x-user-id'],
  ...['user-agent', 'via', 'x-request-id', 'traceparent', 'tracestate', 'forwarded', 'x-forwarded-for', 'expect'],
  ...['host', 'connection', 'content-length', 'transfer-encoding', 'te', 'set-cookie', '!#$%&|~', 'x_a'],
]
const VALUES = [
  'a/b',
  'a, b',
  '7',
  'x y',
  ' x',
  'x\t',
  '',
  '\t',
  '\xa0x\xff',
  '"quoted"',
  'a\tb',
  'é',
  '; HttpOnly',
  '*',
]

const random = seededRandom(28)
const pick = (list: readonly string[]): string => list[Math.floor(random() * list.length)] ?? ''
const some = (most: number) => Math.floor(random() * (most + 1))

const fieldsOf = (most: number): [string, string][] => {
  const names = new Set(Array.from({ length: some(most) }, () => pick(NAMES)))
  return [...names].map((name) => [name, pick(VALUES)])
}

function createOne(): Exchange {
  const headers = new Headers(
    random() < 0.3 ? { via: '1.0 other', 'x-forwarded-for': '192.0.2.9', forwarded: 'for=x' } : {},
  )
  return createExchange({
    request: new Request('http://gateway.test/', { headers }),
    id: `id-${some(1e6)}`,
    route: 'route',
    path: '/',
    search: '',
    params: {},
    client: {
      ip: random() < 0.5 ? '192.0.2.1' : undefined,
      trusted: random() < 0.5,
      protocol: 'http',
      host: pick(['', 'a.test:80']),
    },
    trace: { traceparent: `00-${some(1e6)}-01`, tracestate: random() < 0.5 ? 'a=b' : undefined },
    stop: new Stop(),
    deadline: Number.POSITIVE_INFINITY,
    upgrade: undefined,
    waitUntil: () => {},
    bodyLimit: 0,
    now: () => 0,
  })
}

const callOf = (exchange: Exchange, headers: FieldList | Headers) =>
  new UpstreamCall('upstream', exchange, { method: 'GET', path: '/', headers }, undefined)

/** Where `Headers` puts cookies differs between runtimes. */
const linesOf = (headers: Headers) => [...headers].map(([name, value]) => `${name}: ${value}\r\n`).sort()
const sorted = (lines = '') => lines.split(/(?<=\r\n)/).sort()

describe('a call that an exchange makes by itself', () => {
  test('says the same in lines, in Headers, and as if it were the only one', () => {
    let inLines = 0
    for (let i = 0; i < 400; i++) {
      const exchange = createOne()
      for (let calls = some(4); calls >= 0; calls--) {
        for (let edits = some(2); edits > 0; edits--) {
          if (random() < 0.6) exchange.outgoing.set(pick(NAMES), pick(VALUES))
          else exchange.outgoing.remove(pick(NAMES).toUpperCase())
        }
        const given = fieldsOf(random() < 0.5 ? 3 : 8)
        const own = random() < 0.5 ? given : (Object.freeze(given) as typeof given)
        const alone = new Headers(own)
        addGatewayFields(alone, exchange)
        const lines = callOf(exchange, own).fieldLines
        expect(linesOf(callOf(exchange, own).headers)).toEqual(linesOf(alone))
        if (lines === undefined) continue
        inLines++
        expect(sorted(lines)).toEqual(linesOf(alone))
      }
    }
    expect(inLines).toBeGreaterThan(100)
  })

  for (const [what, change] of [
    ['the client', { client: { ip: '192.0.2.77', trusted: false, protocol: 'https', host: 'b.test' } }],
    ['the trace', { trace: { traceparent: '00-77-01', tracestate: 'c=d' } }],
    ['the id', { id: 'id-77' }],
    ['the request', { request: new Request('http://gateway.test/', { headers: { via: '1.0 changed' } }) }],
    [
      'the fields',
      {
        outgoing: {
          ...createOne().outgoing,
          version: 1,
          decides: () => false,
          applyTo: (to: Headers) => to.set('x-77', '1'),
        },
      },
    ],
  ] satisfies [string, Partial<Exchange>][]) {
    test(`speaks of the exchange it serves, though a policy has changed ${what} since the call before`, async () => {
      const exchange = createOne()
      const said: string[][] = []
      const call = async (served: Exchange) => {
        said.push(sorted(callOf(served, []).fieldLines), linesOf(callOf(served, []).headers))
        return new Response()
      }
      await call(exchange)
      await pipeline<Exchange>([(_, next) => next(change)], call)(exchange)
      await call(exchange)
      const alone = new Headers()
      addGatewayFields(alone, Object.assign(Object.create(exchange), change))
      const [before = []] = said
      expect(said).toEqual([before, before, linesOf(alone), linesOf(alone), before, before])
      expect(said[2]).not.toEqual(before)
    })
  }

  test('has the fields a policy gives it, and leaves its own to the calls beside it', async () => {
    const call = callOf(createOne(), [['x-a', '1']])
    const seen: unknown[] = []
    const headers = new Headers({ 'x-a': '2' })
    const twice = async (_: Call, next: Next<Call>) => {
      await next({ headers })
      return next({ body: new Uint8Array(1) })
    }
    await pipeline<Call>([twice], async (derived) => {
      seen.push(derived instanceof UpstreamCall && derived.fieldLines, derived.headers.get('x-a'))
      return new Response()
    })(call)
    expect(seen).toEqual([undefined, '2', call.fieldLines, '1'])
    expect(call.fieldLines).toContain('x-a: 1\r\n')
  })

  test('sends what a policy has changed in place', async () => {
    const call = callOf(createOne(), [['x-a', '1']])
    call.headers.set('x-a', '2')
    expect(call.fieldLines).toBeUndefined()
    expect(call.headers.get('x-a')).toBe('2')
  })
})

describe('a call for an exchange', () => {
  const { signal } = new AbortController()
  test.each([
    { name: 'set', derive: (exchange: Exchange): Exchange => Object.assign(Object.create(exchange), { signal }) },
    {
      name: 'defined',
      derive: (exchange: Exchange): Exchange => Object.create(exchange, { signal: { value: signal } }),
    },
  ])('ends by the signal that a policy has $name on it', ({ derive }) => {
    const exchange = createOne()
    expect(callOf(derive(exchange), []).stop.signal).toBe(signal)
    expect(callOf(exchange, []).stop).toBe(exchange.stop)
  })
})
