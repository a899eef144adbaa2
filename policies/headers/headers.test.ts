import { describe, expect, test } from 'bun:test'
import { z } from 'zod'
import { type Principal, principal } from '../../gateway/core/keys.ts'
import { definePolicy } from '../../gateway/core/policy.ts'
import { createTestGateway } from '../../tests/support/gateway.ts'

const headers = (options: unknown, upstream?: () => Response) =>
  createTestGateway({ policies: [{ headers: options }], ...(upstream ? { upstream } : {}) })

async function sentFor(options: unknown, init: RequestInit, target = '/x/7') {
  const gateway = await headers(options)
  const response = await gateway.fetch(target, init)
  return { response, sent: gateway.upstreamRequests[0]?.headers }
}

describe('headers, towards the upstream', () => {
  test('sets fields from templates, in place of what the client sent', async () => {
    const options = { request: { set: { 'X-Item': 'item-{params.id}', 'x-static': 'a' } } }
    const { sent } = await sentFor(options, { headers: { 'x-item': 'forged' } })
    expect(sent?.get('x-item')).toBe('item-7')
    expect(sent?.get('x-static')).toBe('a')
  })

  test('sends no field, not even the client’s, when its value is empty', async () => {
    const { sent } = await sentFor(
      { request: { set: { 'x-tenant': '{query.tenant}' } } },
      { headers: { 'x-tenant': 'b' } },
    )
    expect(sent?.has('x-tenant')).toBe(false)
  })

  test('removes fields by name and by the beginning of a name', async () => {
    const options = { request: { remove: ['Cookie', 'x-internal-*'] } }
    const given = { cookie: 'a=b', 'x-internal-a': '1', 'x-internal-b': '2', 'x-inter': '3' }
    const { sent } = await sentFor(options, { headers: given })
    expect(sent?.has('cookie')).toBe(false)
    expect(sent?.has('x-internal-a')).toBe(false)
    expect(sent?.has('x-internal-b')).toBe(false)
    expect(sent?.get('x-inter')).toBe('3')
  })

  test('keeps the fields of the gateway when a pattern covers them', async () => {
    const given = { 'x-request-id': 'theirs', 'x-forwarded-for': '203.0.113.1', 'x-other': '1' }
    const { sent } = await sentFor({ request: { remove: ['x-*'] } }, { headers: given })
    expect(sent?.has('x-request-id')).toBe(true)
    expect(sent?.get('x-forwarded-for')).toBe('192.0.2.1')
    expect(sent?.has('x-other')).toBe(false)
  })

  test('refuses a value with a line break and calls nobody', async () => {
    const { response, sent } = await sentFor(
      { request: { set: { 'x-item': '{params.id}' } } },
      {},
      '/x/a%0d%0ax-admin:%201',
    )
    expect(response.status).toBe(400)
    expect(sent).toBeUndefined()
  })

  test('tells the caller’s identity, which no client can forge on a route without the policy', async () => {
    const signedIn = definePolicy({
      name: 'signed-in',
      at: 'route',
      options: z.strictObject({}),
      provides: [principal],
      create: () => (exchange, next) => {
        exchange.set<Principal>(principal, { id: 'alice', claims: { plan: 'gold' }, via: 'signed-in' })
        return next()
      },
    })
    const gateway = await createTestGateway({
      register: [signedIn],
      config: JSON.stringify({
        version: 1,
        upstreams: { shop: { url: 'http://shop.test' } },
        routes: {
          told: {
            path: '/told',
            policies: [
              'signed-in',
              { headers: { request: { set: { 'x-plan': '{claims.plan}', 'x-who': '{client.id}' } } } },
            ],
            upstream: 'shop',
          },
          plain: { path: '/plain', upstream: 'shop' },
        },
      }),
    })
    const forged = { headers: { 'x-plan': 'free', 'x-who': 'eve', x_plan: 'free' } }
    await gateway.fetch('/told', forged)
    await gateway.fetch('/plain', forged)
    const [told, plain] = gateway.upstreamRequests
    expect([told?.headers.get('x-plan'), told?.headers.get('x-who')]).toEqual(['gold', 'alice'])
    expect([plain?.headers.get('x-plan'), plain?.headers.get('x-who'), plain?.headers.get('x_plan')]).toEqual([
      null,
      null,
      null,
    ])
  })
})

describe('headers, towards the client', () => {
  const upstream = () =>
    new Response('body', {
      headers: { server: 'secret/1.0', 'x-internal-node': '3', 'cache-control': 'no-store', etag: '"1"' },
    })

  test('removes and sets fields and leaves the others, the status and the body alone', async () => {
    const options = {
      response: { set: { 'Cache-Control': 'max-age=60', 'x-item': '{params.id}' }, remove: ['server', 'x-internal-*'] },
    }
    const response = await (await headers(options, upstream)).fetch('/x/7')
    expect(response.headers.has('server')).toBe(false)
    expect(response.headers.has('x-internal-node')).toBe(false)
    expect(response.headers.get('cache-control')).toBe('max-age=60')
    expect(response.headers.get('x-item')).toBe('7')
    expect(response.headers.get('etag')).toBe('"1"')
    expect(await response.text()).toBe('body')
  })

  test('keeps repeated Set-Cookie fields apart', async () => {
    const cookies = () => {
      const reply = new Response('ok')
      reply.headers.append('set-cookie', 'a=1')
      reply.headers.append('set-cookie', 'b=2; Expires=Wed, 21 Oct 2026 07:28:00 GMT')
      return reply
    }
    const response = await (await headers({ response: { set: { 'x-a': 'b' } } }, cookies)).fetch('/x/7')
    expect(response.headers.getSetCookie()).toEqual(['a=1', 'b=2; Expires=Wed, 21 Oct 2026 07:28:00 GMT'])
  })

  test('changes responses whose fields the runtime has frozen', async () => {
    const elsewhere = definePolicy({
      name: 'elsewhere',
      at: 'route',
      ends: true,
      options: z.strictObject({}),
      create: () => async () => Response.redirect('http://elsewhere.test/', 307),
    })
    const gateway = await createTestGateway({
      register: [elsewhere],
      config: JSON.stringify({
        version: 1,
        routes: {
          route: {
            path: '/x',
            policies: [{ headers: { response: { set: { 'x-a': 'b' }, remove: ['location'] } } }, 'elsewhere'],
          },
        },
      }),
    })
    const response = await gateway.fetch('/x')
    expect(response.status).toBe(307)
    expect(response.headers.get('x-a')).toBe('b')
    expect(response.headers.has('location')).toBe(false)
  })

  test('changes the gateway’s own refusals too', async () => {
    const refuse = () => {
      throw new TypeError('connection refused')
    }
    const response = await (await headers({ response: { set: { 'x-a': 'b' } } }, refuse)).fetch('/x/7')
    expect(response.status).toBe(502)
    expect(response.headers.get('x-a')).toBe('b')
  })
})

describe('headers, at load', () => {
  test.each([
    { name: 'to set Host', options: { request: { set: { Host: 'a.test' } } } },
    { name: 'to remove Content-Length', options: { request: { remove: ['content-length'] } } },
    {
      name: 'to set Transfer-Encoding on the answer',
      options: { response: { set: { 'transfer-encoding': 'chunked' } } },
    },
    { name: 'to set Connection', options: { request: { set: { connection: 'x-user' } } } },
    { name: 'to set X-Forwarded-For', options: { request: { set: { 'x-forwarded-for': '1.2.3.4' } } } },
    { name: 'to remove Via', options: { response: { remove: ['via'] } } },
  ])('refuses $name', async ({ options }) => {
    expect(String(await headers(options).catch((error: unknown) => error))).toContain('cannot be changed')
  })

  test.each([
    { name: 'a name that is none', options: { request: { set: { 'x y': 'a' } } }, message: 'expected a header name' },
    {
      name: 'a pattern with a star inside',
      options: { request: { remove: ['x-*-y'] } },
      message: 'expected a header name',
    },
    { name: 'a lone star', options: { request: { remove: ['*'] } }, message: 'expected a header name' },
    { name: 'an unknown name', options: { request: { set: { a: '{claim.sub}' } } }, message: 'did you mean "claims"' },
    { name: 'a misspelt key', options: { requests: {} }, message: 'did you mean "request"' },
    {
      name: 'a claim with nobody signed in before, which would be empty for everybody',
      options: { request: { set: { 'x-user': '{claims.sub}' } } },
      message: '"headers" needs the principal from an earlier policy',
    },
  ])('refuses $name', async ({ options, message }) => {
    expect(String(await headers(options).catch((error: unknown) => error))).toContain(message)
  })
})
