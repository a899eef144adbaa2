import { describe, expect, test } from 'bun:test'
import { Hono, type MiddlewareHandler } from 'hono'
import { etag } from 'hono/etag'
import { z } from 'zod'
import { createTestGateway, type ScriptedUpstream } from '../tests/support/gateway.ts'
import { GatewayError } from './core/errors.ts'
import { definePolicy } from './core/policy.ts'
import { fromHono, toHono } from './hono.ts'

const through = (middleware: MiddlewareHandler, upstream?: ScriptedUpstream) =>
  createTestGateway({
    register: [
      definePolicy({ name: 'bridged', at: 'route', options: z.strictObject({}), create: () => fromHono(middleware) }),
    ],
    policies: ['bridged'],
    ...(upstream ? { upstream } : {}),
  })

describe('fromHono', () => {
  test('lets Hono middleware answer instead of the route', async () => {
    const gateway = await through(async (c) => c.text('closed', 418))
    const response = await gateway.fetch('/x/1')
    expect([response.status, await response.text()]).toEqual([418, 'closed'])
    expect(gateway.upstreamRequests).toHaveLength(0)
  })

  test('lets it change the response of the route', async () => {
    const gateway = await through(
      async (c, next) => {
        await next()
        c.header('x-path', c.req.path)
      },
      () => new Response('made', { status: 201, headers: { 'x-kept': '1' } }),
    )
    const response = await gateway.fetch('/x/1')
    expect([response.status, await response.text()]).toEqual([201, 'made'])
    expect([response.headers.get('x-path'), response.headers.get('x-kept')]).toEqual(['/x/1', '1'])
  })

  test('runs middleware that comes with Hono', async () => {
    const gateway = await through(etag())
    const first = await gateway.fetch('/x/1')
    const tag = first.headers.get('etag') ?? ''
    expect(tag).not.toBe('')
    expect((await gateway.fetch('/x/1', { headers: { 'if-none-match': tag } })).status).toBe(304)
  })

  test('leaves the body of the request to the route', async () => {
    const gateway = await through(
      (_, next) => next(),
      async (request) => new Response(await request.text()),
    )
    expect(await (await gateway.fetch('/x/1', { method: 'PUT', body: 'tea' })).text()).toBe('tea')
  })

  test('turns what the middleware throws into a problem, like any policy', async () => {
    const refusing = await through(async () => {
      throw new GatewayError('forbidden')
    })
    const refused = await refusing.fetch('/x/1')
    expect([refused.status, (await refused.json()).type]).toEqual([403, 'urn:sluice:problem:forbidden'])
    const broken = await through(async () => {
      throw new Error('secret detail')
    })
    const failed = await broken.fetch('/x/1')
    expect(failed.status).toBe(500)
    expect(await failed.text()).not.toContain('secret')
  })

  test('answers a gateway failure inside with its problem', async () => {
    const gateway = await through(
      (_, next) => next(),
      () => {
        throw new TypeError('connection refused')
      },
    )
    expect((await gateway.fetch('/x/1')).status).toBe(502)
  })
})

describe('toHono', () => {
  test('mounts a gateway in a Hono app, beside the routes of the app', async () => {
    const gateway = await createTestGateway()
    const app = new Hono().get('/own', (c) => c.text('own'))
    app.all('*', toHono({ fetch: (request, connection) => gateway.fetch(request, undefined, connection) }))
    expect(await (await app.request('/own')).text()).toBe('own')
    const response = await app.request('http://gateway.test/x/1', { headers: { host: 'gateway.test' } })
    expect(await response.text()).toBe('ok')
    expect(gateway.upstreamRequests).toHaveLength(1)
  })

  test('hands on what the app knows of the connection', async () => {
    const seen: unknown[] = []
    const app = new Hono()
    const waited: Promise<unknown>[] = []
    const mounted = toHono(
      {
        async fetch(_request, { ip, gone, waitUntil } = {}) {
          seen.push(ip, gone instanceof AbortSignal)
          waitUntil?.(Promise.resolve('later'))
          return new Response('ok')
        },
      },
      () => ({ ip: '192.0.2.7' }),
    )
    app.all('*', mounted)
    const context = {
      waitUntil: (work: Promise<unknown>) => void waited.push(work),
      passThroughOnException: () => {},
      props: {},
    }
    await app.fetch(new Request('http://gateway.test/'), {}, context)
    await app.request('/')
    expect(seen).toEqual(['192.0.2.7', true, '192.0.2.7', true])
    expect(await Promise.all(waited)).toEqual(['later'])
  })
})
