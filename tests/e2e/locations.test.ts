import { afterAll, beforeAll, beforeEach, expect, test } from 'bun:test'
import { openScene, type Scene, SERVICES } from './scene.ts'

/** Where a client is sent by a reply, on bare sockets. */

let scene: Scene
let before = 0

beforeAll(async () => {
  scene = await openScene({
    answer: ({ requestLine, values }) => {
      const [method, path = ''] = requestLine.split(' ')
      const address = `http://${values('host')[0]}`
      const fields =
        method === 'POST'
          ? `201 Created\r\nLocation: ${address}/v1/orders/7\r\nContent-Location: ${address}/v1/orders/7?full`
          : path === '/v1/orders/moved'
            ? `308 Permanent Redirect\r\nLocation: //${values('host')[0]}/v1/orders/7`
            : path === '/v1/orders/file'
              ? '302 Found\r\nLocation: file:///etc/passwd'
              : '200 OK'
      return [`HTTP/1.1 ${fields}\r\nContent-Length: 2\r\n\r\nok`]
    },
    config: (upstream) => ({
      version: 1,
      server: { trust: { hops: 1 } },
      services: SERVICES,
      upstreams: { orders: { url: `${upstream}/v1` }, plain: { url: upstream, 'rewrite-location': false } },
      routes: {
        orders: { path: '/shop/*', upstream: { name: 'orders', path: '/{params.*}' } },
        plain: { path: '/v1/*', upstream: 'plain' },
      },
    }),
  })
})
afterAll(async () => {
  await scene.settled()
  await scene.close()
})
beforeEach(() => {
  before = scene.upstream.requests.length
})

const post = async (path: string) => {
  const lines = [`POST ${path} HTTP/1.1`, 'Host: 10.1.2.3', 'X-Forwarded-Host: shop.test', 'X-Forwarded-Proto: https']
  const [reply] = await scene.send([...lines, 'Content-Length: 0', '', ''].join('\r\n'))
  return reply
}

test('AGG-18: a reply that names the upstream names the gateway to the client, which gets there', async () => {
  const created = await post('/shop/orders')
  expect(created?.status).toBe(201)
  expect(created?.header('location')).toBe('https://shop.test/shop/orders/7')
  expect(created?.header('content-location')).toBe('https://shop.test/shop/orders/7?full')
  expect(JSON.stringify(created?.headers)).not.toContain('127.0.0.1')

  await scene.get(new URL(created?.header('location') ?? '').pathname)
  expect(scene.upstream.requests.at(-1)?.requestLine).toBe('GET /v1/orders/7 HTTP/1.1')
})

test('AGG-18: a redirect to the upstream leads to the gateway and is not followed', async () => {
  const moved = await scene.get('/shop/orders/moved')
  expect([moved.status, moved.header('location')]).toEqual([308, 'http://shop.test/shop/orders/7'])
  expect(scene.upstream.requests).toHaveLength(before + 1)
})

test('AGG-18: a redirect to a file is passed on and opened by nobody here', async () => {
  const file = await scene.get('/shop/orders/file')
  expect([file.status, file.header('location'), file.text()]).toEqual([302, 'file:///etc/passwd', 'ok'])
})

test('AGG-18: a reply is passed on as it is with rewrite-location: false', async () => {
  const created = await post('/v1/orders')
  expect(created?.header('location')).toBe(`${scene.upstream.url}/v1/orders/7`)
})
