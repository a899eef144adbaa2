import { describe, expect, test } from 'bun:test'
import { z } from 'zod'
import { createTestGateway } from '../../tests/support/gateway.ts'
import { definePolicy } from '../core/policy.ts'
import { createRequestFilter, dropConnectionFields } from './fields.ts'

describe('the fields that go on to an upstream', () => {
  const filter = createRequestFilter(['x-user-id'])
  const keep = (fields: Record<string, string>) => Object.fromEntries(filter(new Headers(fields)))

  test('are those of the request itself', () => {
    expect(keep({ accept: 'a/b', cookie: 'a=1', 'x-own': '1', authorization: 'Bearer x' })).toEqual({
      accept: 'a/b',
      cookie: 'a=1',
      'x-own': '1',
      authorization: 'Bearer x',
    })
  })

  test('are not those of a connection, by name or by nomination', () => {
    expect(
      keep({
        'keep-alive': '5',
        'proxy-connection': 'x',
        te: 'trailers',
        upgrade: 'h2c',
        'http2-settings': 'x',
        'proxy-authorization': 'x',
        connection: 'X-Hop, ,x-other',
        'x-hop': '1',
        'x-other': '2',
        'x-own': '3',
      }),
    ).toEqual({ 'x-own': '3' })
  })

  test('are not those the gateway sets itself, in any spelling', () => {
    const own = [
      'x-user-id',
      'x_user_id',
      'x-user_id',
      'forwarded',
      'x-forwarded-for',
      'x_forwarded_for',
      'x-real-ip',
      'via',
      'traceparent',
      'x-request-id',
      'expect',
      'host',
      'true-client-ip',
      'x-forwarded-user',
      'x_forwarded_client_cert',
      'x-forwarded',
      'client-ip',
    ]
    expect(keep({ ...Object.fromEntries(own.map((name) => [name, '1'])), x_own: '2' })).toEqual({ x_own: '2' })
  })

  test('are not those reserved with an underscore either, in any spelling', () => {
    const filter = createRequestFilter(['x_user_id'])
    const sent = new Headers({ 'x-user-id': 'root', x_user_id: 'root', 'x-user_id': 'root', 'x-user': 'me' })
    expect(Object.fromEntries(filter(sent))).toEqual({ 'x-user': 'me' })
  })

  test('do not take away what the gateway says about the caller', async () => {
    const gateway = await createTestGateway({
      policies: [{ headers: { request: { set: { 'x-route': '{route.id}' } } } }],
    })
    await gateway.fetch('/x/1', { headers: { connection: 'close, x-route', 'x-route': 'forged' } })
    expect(gateway.upstreamRequests[0]?.headers.get('x-route')).toBe('route')
  })
})

describe('the forwarding fields', () => {
  async function sent(server: Record<string, unknown>, headers: Record<string, string>, ip: string) {
    const gateway = await createTestGateway({ server })
    await gateway.fetch('/x/1', { headers }, { ip })
    const seen = gateway.upstreamRequests[0]?.headers
    return ['x-forwarded-for', 'forwarded', 'x-forwarded-proto', 'x-forwarded-host', 'via'].map((name) =>
      seen?.get(name),
    )
  }

  test('are set anew for a stranger', async () => {
    expect(await sent({}, { 'x-forwarded-for': '6.6.6.6', forwarded: 'for=6.6.6.6', 'x-forwarded-proto': 'https', via: '1.0 other' }, '192.0.2.7')).toEqual([
      '192.0.2.7', 'for=192.0.2.7;proto=http;host="gateway.test"', 'http', 'gateway.test', '1.0 other, 1.1 sluice',
    ]) // biome-ignore format: one list
  })

  test('grow by the trusted proxy, not by the client again', async () => {
    expect(await sent({ trust: { hops: 1 } }, { 'x-forwarded-for': '203.0.113.7', forwarded: 'for=203.0.113.7', 'x-forwarded-proto': 'https' }, '10.0.0.9')).toEqual([
      '203.0.113.7, 10.0.0.9', 'for=203.0.113.7, for=10.0.0.9;proto=https;host="gateway.test"', 'https', 'gateway.test', '1.1 sluice',
    ]) // biome-ignore format: one list
  })

  test('quote an IPv6 address where the syntax wants it', async () => {
    expect((await sent({}, {}, '2001:db8::7')).slice(0, 2)).toEqual([
      '2001:db8::7',
      'for="[2001:db8::7]";proto=http;host="gateway.test"',
    ])
  })
})

describe('the calls a policy makes by itself', () => {
  const caller = definePolicy({
    name: 'calls-twice',
    at: 'route',
    ends: true,
    options: z.strictObject({}),
    create: (_, { upstreams }) => {
      const call = upstreams.get('upstream')
      return async (exchange) => {
        const own = [
          ['accept', 'a/b'],
          ['user-agent', 'mine'],
          ['via', 'forged'],
          ['x-request-id', 'forged'],
        ] as const
        await call(exchange, { method: 'GET', path: '/1', headers: own })
        exchange.outgoing.set('x-user-id', 'alice')
        return call(exchange, { method: 'GET', path: '/2', headers: [['accept', 'c/d']] })
      }
    },
  })

  test('each carry what the gateway says, what they say themselves, and nothing of each other', async () => {
    const gateway = await createTestGateway({
      register: [caller],
      config: JSON.stringify({
        version: 1,
        upstreams: { upstream: { url: 'http://upstream.test' } },
        routes: { route: { path: '/x', policies: ['calls-twice'] } },
      }),
    })
    await gateway.fetch('/x')
    const [first, second] = gateway.upstreamRequests.map(({ headers }) => Object.fromEntries(headers))
    const { traceparent, ...said } = first ?? {}
    expect(said).toEqual({
      accept: 'a/b',
      'user-agent': 'mine',
      via: '1.1 sluice',
      'x-request-id': 'id-1',
      'x-forwarded-for': '192.0.2.1',
      'x-forwarded-host': 'gateway.test',
      'x-forwarded-proto': 'http',
      forwarded: 'for=192.0.2.1;proto=http;host="gateway.test"',
    })
    expect(second).toEqual({ ...first, accept: 'c/d', 'user-agent': 'sluice', 'x-user-id': 'alice' })
  })
})

describe('the fields of a reply', () => {
  test('lose those of the upstream’s connection', () => {
    const headers = new Headers({
      connection: 'X-Hop, close',
      'x-hop': '1',
      'keep-alive': '5',
      trailer: 'x',
      upgrade: 'h2c',
      'transfer-encoding': 'chunked',
      etag: '"a"',
    })
    dropConnectionFields(headers)
    expect(Object.fromEntries(headers)).toEqual({ etag: '"a"' })
  })

  test('keep what a reader cannot do without, though Connection names it', () => {
    const headers = new Headers({
      connection: 'content-length, content-type, set-cookie, "x"',
      'content-length': '2',
      'content-type': 'a/b',
      'set-cookie': 'a=1',
    })
    dropConnectionFields(headers)
    expect(Object.fromEntries(headers)).toEqual({ 'content-length': '2', 'content-type': 'a/b', 'set-cookie': 'a=1' })
  })
})
