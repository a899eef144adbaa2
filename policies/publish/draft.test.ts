import { describe, expect, test } from 'bun:test'
import { fromBase64 } from '../../gateway/core/base64.ts'
import { createTestGateway } from '../../tests/support/gateway.ts'
import { draftOf } from './test-drafts.ts'

const SUBJECT = { subject: '{response.body.id}' }
const fieldsOf = (draft: { settlement?: { request: { headers: readonly (readonly [string, string])[] } } }) =>
  Object.fromEntries(draft.settlement?.request.headers ?? [])

describe('publish, what it keeps to settle an unknown outcome', () => {
  test('is the request as it goes to the upstream, with its key', async () => {
    const headers = { 'content-type': 'application/json', accept: 'application/json', 'idempotency-key': '"k-1"' }
    const { draft, sent } = await draftOf(SUBJECT, { headers })
    const { mode, upstream, request, withinMs } = draft.settlement ?? {}
    expect({ mode, upstream, withinMs }).toEqual({ mode: 'replay', upstream: 'upstream', withinMs: 600_000 })
    expect([request?.method, request?.path]).toEqual(['POST', '/x/7?a=b'])
    expect(new TextDecoder().decode(fromBase64(request?.body ?? ''))).toBe('{"note":"quick"}')
    expect(fieldsOf(draft)).toEqual({
      ...headers,
      'accept-encoding': 'identity',
      host: 'gateway.test',
      'x-forwarded-proto': 'http',
    })
    for (const [name, value] of Object.entries(headers)) expect(sent?.headers.get(name)).toBe(value)
    expect(draft.settlement?.recipe).toEqual({
      type: 'order.placed',
      source: 'urn:sluice:route:route',
      exchange: 'shop.events',
      routingKey: 'order.placed',
      subject: '{response.body.id}',
      data: '{response.body}',
      values: {},
      maxBody: 262_144,
      identity: '["urn:sluice:route:route","order.placed",null,"\\"k-1\\""]',
    })
  })

  test('is the path the route makes of it', async () => {
    const config = JSON.stringify({
      version: 1,
      upstreams: { orders: { url: 'http://orders.test' } },
      routes: {
        place: {
          path: '/x/:id',
          policies: [{ publish: { type: 'a', exchange: 'b', ...SUBJECT } }],
          upstream: { name: 'orders', path: '/v2/orders/{params.id}' },
        },
      },
    })
    const { draft } = await draftOf({}, {}, { config })
    expect([draft.settlement?.upstream, draft.settlement?.request.path]).toEqual(['orders', '/v2/orders/7?a=b'])
  })

  test('holds no credentials, whether the client or the gateway sets them', async () => {
    const headers = {
      authorization: 'Bearer secret',
      cookie: 'sid=secret',
      'x-other': 'secret',
      'content-type': 'text/plain',
    }
    const policies = [{ headers: { request: { set: { authorization: 'secret', 'x-shop': 'eu' } } } }]
    const { draft } = await draftOf(SUBJECT, { headers }, { policies })
    expect(JSON.stringify(draft)).not.toContain('secret')
    expect(fieldsOf(draft)).toMatchObject({ 'content-type': 'text/plain', 'x-shop': 'eu' })
  })

  test('holds those that settle-headers names', async () => {
    const headers = { authorization: 'Bearer secret', 'x-tenant': 't-1' }
    const { draft } = await draftOf({ ...SUBJECT, 'settle-headers': ['Authorization', 'x-tenant'] }, { headers })
    expect(fieldsOf(draft)).toMatchObject(headers)
  })

  test('never holds a field only the gateway may set, as a client spoke it', async () => {
    const keep = { 'settle-headers': ['x-user-id'] }
    const keys = [`sha256:${'1'.repeat(64)}`]
    const config = JSON.stringify({
      version: 1,
      upstreams: { orders: { url: 'http://orders.test' } },
      routes: {
        place: {
          path: '/x/:id',
          policies: [{ publish: { type: 'a', exchange: 'b', ...keep } }],
          upstream: 'orders',
        },
        mine: {
          path: '/mine',
          policies: [{ 'api-key': { clients: { alice: { keys } }, 'client-header': 'x-user-id' } }],
          upstream: 'orders',
        },
      },
    })
    const { draft } = await draftOf({}, { headers: { 'x-user-id': 'mallory', accept: 'text/json' } }, { config })
    expect(fieldsOf(draft)).toMatchObject({ accept: 'text/json' })
    expect(JSON.stringify(draft)).not.toContain('mallory')
  })

  test('has a key of the gateway when the client sent none, which the upstream gets too', async () => {
    const { draft, sent } = await draftOf(SUBJECT)
    expect(draft.idempotencyKey).toMatch(/^id-\d+$/)
    expect(sent?.headers.get('idempotency-key')).toBe(draft.idempotencyKey ?? '')
    expect(fieldsOf(draft)['idempotency-key']).toBe(draft.idempotencyKey ?? '')
    expect(draft.settlement?.recipe).not.toHaveProperty('identity')
  })

  test('has what the templates read of the request', async () => {
    const options = { subject: '{params.id}', data: '{body}', source: 'urn:shop' }
    const { draft } = await draftOf(options, { headers: { 'content-type': 'application/json' } })
    expect(draft.settlement?.recipe.values).toEqual({ 'params.id': '7', body: { note: 'quick' } })
  })

  test('has no body of a request without one', async () => {
    const { draft } = await draftOf(SUBJECT, {
      method: 'DELETE',
      body: null,
      headers: { 'content-type': 'text/plain' },
    })
    expect(draft.settlement?.request).not.toHaveProperty('body')
    expect(fieldsOf(draft)).not.toHaveProperty('content-type')
  })

  test.each([
    {
      name: 'a body that is larger than settle-max-body',
      options: { ...SUBJECT, 'settle-max-body': '15B' },
      reason: 'the request body has 16 bytes, and settle-max-body keeps 15',
    },
    {
      name: 'values that are larger than settle-max-body',
      options: { data: '{body.note}', 'settle-max-body': '20B' },
      reason: 'what the event needs of the request takes 21 bytes, and settle-max-body keeps 20',
    },
    {
      name: 'a probe that lacks a value',
      options: { settle: 'probe', probe: '/orders/{query.order}' },
      reason: 'the request has not what the path of the probe needs',
    },
  ])('is nothing for $name, and says why', async ({ options, reason }) => {
    const { draft, status } = await draftOf(options)
    expect(status).toBe(201)
    expect(draft).not.toHaveProperty('settlement')
    expect(draft.cannotSettle).toBe(reason)
  })

  test('is a GET for settle: probe, with the key that went upstream', async () => {
    const options = { settle: 'probe', probe: '/orders/by-key/{headers.idempotency-key}', 'settle-within': '1h' }
    const { draft } = await draftOf(options, { headers: { 'idempotency-key': 'a/b', accept: 'text/json' } })
    expect(draft.settlement).toMatchObject({
      mode: 'probe',
      withinMs: 3_600_000,
      request: { method: 'GET', path: '/orders/by-key/a%2Fb' },
    })
    expect(draft.settlement?.request).not.toHaveProperty('body')
    expect(fieldsOf(draft)).toMatchObject({ accept: 'text/json' })
    const { draft: own } = await draftOf(options)
    expect(own.settlement?.request.path).toBe(`/orders/by-key/${own.idempotencyKey}`)
  })

  test('is nothing for settle: park, and the upstream gets no key the client did not send', async () => {
    const { draft, sent } = await draftOf({ settle: 'park' })
    expect(Object.keys(draft).sort()).toEqual(['method', 'path', 'route', 'traceparent'])
    expect(sent?.headers.has('idempotency-key')).toBe(false)
  })
})

describe('publish, at load', () => {
  const loading = (options: object, more: object = {}) =>
    createTestGateway({
      policies: [
        { publish: { type: 'order.placed', exchange: 'shop.events', ...options } },
        ...([more].flat() as object[]).filter((each) => Object.keys(each).length > 0),
      ],
    }).then(() => 'loaded', String)

  test.each([
    { name: 'a way to settle that does not exist', options: { settle: 'replays' }, told: 'did you mean "replay"' },
    {
      name: 'a probe without its path',
      options: { settle: 'probe' },
      told: 'publish.settle  probe needs the path to ask at',
    },
    {
      name: 'a path of a probe that is never made',
      options: { probe: '/a' },
      told: 'publish.probe  has no effect without settle: probe',
    },
    {
      name: 'a probe that reads the response',
      options: { settle: 'probe', probe: '/orders/{response.body.id}' },
      told: 'publish.probe  "response.body.id" has no value here',
    },
    {
      name: 'a field the gateway sets itself',
      options: { 'settle-headers': ['x-a', 'Traceparent'] },
      told: 'publish.settle-headers[1]  the gateway sets "traceparent" itself',
    },
    { name: 'a bound of nothing', options: { 'settle-within': '0s' }, told: 'greater than zero' },
  ])('refuses $name', async ({ options, told }) => {
    expect(await loading(options)).toContain(told)
  })

  test('refuses to settle through an upstream the route does not have', async () => {
    const respond = { respond: { status: 204 } }
    expect(await loading({}, respond)).toContain(
      'publish.settle  replay asks the upstream of the route, and this one has none: write settle: park',
    )
    expect(await loading({ settle: 'park' }, respond)).toBe('loaded')
  })
})
