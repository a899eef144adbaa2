import { describe, expect, test } from 'bun:test'
import { createTestGateway } from '../../tests/support/gateway.ts'
import { GatewayError } from '../core/errors.ts'
import { checkRequest, type Target } from './request-checks.ts'
import { RequestFields } from './request-fields.ts'

const LIMITS = { headers: 1_024, headerCount: 10, url: 256 }

/** A request as a lax runtime might hand it over: `Request` would refuse some of these fields itself. */
function requestWith(
  fields: readonly (readonly [string, string])[],
  { method = 'GET', url = 'http://shop.test/a?b' } = {},
): Request {
  return {
    method,
    url,
    headers: new Headers(fields.map(([name, value]): [string, string] => [name, value])),
  } as Request
}

function check(request: Request): Target {
  return checkRequest(request, new RequestFields(request.headers), LIMITS)
}

function codeOf(check: () => unknown): string | undefined {
  try {
    check()
  } catch (error) {
    if (error instanceof GatewayError) return error.code
    throw error
  }
  return undefined
}

const HOST = ['host', 'shop.test'] as const

describe('the request checks', () => {
  test('give the one spelling of path and query', () => {
    expect(check(requestWith([HOST], { url: 'http://shop.test/x/%61?q=%61' }))).toEqual({
      path: '/x/a',
      search: '?q=%61',
    })
    expect(check(requestWith([HOST], { url: 'http://shop.test' }))).toEqual({ path: '/', search: '' })
    expect(check(requestWith([HOST], { url: 'http://shop.test?a=/b' }))).toEqual({
      path: '/',
      search: '?a=/b',
    })
  })

  const refusals: readonly (readonly [string, readonly (readonly [string, string])[], string])[] = [
    ['no Host', [], 'invalid-request'],
    ['an empty Host', [['host', '']], 'invalid-request'],
    [
      'two Hosts',
      [
        ['host', 'a.test'],
        ['host', 'b.test'],
      ],
      'invalid-request',
    ],
    ['a Host with a path', [['host', 'a.test/admin#']], 'invalid-request'],
    ['a Content-Length that is no number', [HOST, ['content-length', '0x10']], 'invalid-request'],
    ['a Content-Length with a leading zero', [HOST, ['content-length', '010']], 'invalid-request'],
    ['two Content-Lengths', [HOST, ['content-length', '5'], ['content-length', '5']], 'invalid-request'],
    ['a Transfer-Encoding that is not chunked', [HOST, ['transfer-encoding', 'gzip, chunked']], 'invalid-request'],
    ['both framings', [HOST, ['transfer-encoding', 'chunked'], ['content-length', '5']], 'invalid-request'],
    ['an expectation', [HOST, ['expect', 'more']], 'expectation-failed'],
    ['a Connection that names a protected field', [HOST, ['connection', 'close, Authorization']], 'invalid-request'],
    ['a Connection that is no list of names', [HOST, ['connection', 'close; x']], 'invalid-request'],
    ['too many fields', [HOST, ...Array.from({ length: 10 }, (_, i) => [`x-${i}`, '1'] as const)], 'headers-too-large'],
    ['too many bytes', [HOST, ['x-big', 'a'.repeat(1_024)]], 'headers-too-large'],
  ]
  for (const [name, fields, code] of refusals) {
    test(`refuse ${name}`, () => {
      expect(codeOf(() => check(requestWith(fields)))).toBe(code)
    })
  }

  test('end the connection when nobody can say where the request ends', () => {
    try {
      check(requestWith([HOST, ['transfer-encoding', ',chunked']]))
      expect.unreachable()
    } catch (error) {
      expect((error as GatewayError).headers).toEqual({ connection: 'close' })
    }
  })

  for (const [method, code] of [
    ['TRACE', 'not-implemented'],
    ['CONNECT', 'not-implemented'],
    ['TRACK', 'not-implemented'],
    ['G<T', 'invalid-request'],
    ['BREW', undefined],
  ] as const) {
    test(`answer the method ${method} with ${code ?? 'the router'}`, () => {
      expect(codeOf(() => check(requestWith([HOST], { method })))).toBe(code)
    })
  }

  test('refuse a target that is too long or has a fragment', () => {
    expect(codeOf(() => check(requestWith([HOST], { url: `http://shop.test/${'a'.repeat(256)}` })))).toBe(
      'uri-too-long',
    )
    expect(codeOf(() => check(requestWith([HOST], { url: 'http://shop.test/a#b' })))).toBe('invalid-request')
  })
})

describe('a request id', () => {
  const connection = { ip: '10.0.0.1' }
  const trusting = { server: { trust: { cidrs: ['10.0.0.0/8'] } } }

  test('of a trusted caller is kept, returned, sent on and logged', async () => {
    const gateway = await createTestGateway(trusting)
    const response = await gateway.fetch('/x/1', { headers: { 'x-request-id': 'Caller_1.a-b' } }, connection)
    expect(response.headers.get('x-request-id')).toBe('Caller_1.a-b')
    expect(gateway.upstreamRequests[0]?.headers.get('x-request-id')).toBe('Caller_1.a-b')
    expect(gateway.records[0]?.id).toBe('Caller_1.a-b')
  })

  for (const id of ['a'.repeat(129), 'a b', 'a,b', 'a/b', '%0a', '<script>']) {
    test(`that is no plain name is replaced: ${id.slice(0, 20)}`, async () => {
      const gateway = await createTestGateway(trusting)
      const response = await gateway.fetch('/x/1', { headers: { 'x-request-id': id } }, connection)
      expect(response.headers.get('x-request-id')).toBe('id-1')
    })
  }

  test('of anyone else is replaced, and is the instance of a problem', async () => {
    const gateway = await createTestGateway()
    const response = await gateway.fetch('/nowhere', { headers: { 'x-request-id': 'mine' } })
    expect(response.headers.get('x-request-id')).toBe('id-1')
    expect(await response.json()).toMatchObject({
      type: 'urn:sluice:problem:route-not-found',
      status: 404,
      instance: 'id-1',
    })
  })
})
