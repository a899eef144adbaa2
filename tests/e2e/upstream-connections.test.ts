import { expect, test } from 'bun:test'
import { until } from '../support/real-time.ts'
import { OK, openScene, simpleConfig } from './scene.ts'

/** How many connections a gateway opens to its upstreams, and that it takes them with it. */

test('200 requests at once, round after round, open 200 connections at most, and all go when the gateway stops', async () => {
  const scene = await openScene({ config: (upstream) => simpleConfig(upstream, { settings: { concurrency: 500 } }) })
  const { upstream } = scene
  for (let round = 0; round < 5; round++) {
    const statuses = await Promise.all(
      Array.from({ length: 200 }, async (_, i) => (await scene.get(`/${round}/${i}`)).status),
    )
    expect(new Set(statuses)).toEqual(new Set([200]))
  }
  const opened = upstream.received.length
  const requests = upstream.requests.length
  const kept = upstream.open()
  const closed = scene.close()
  await until('none is open', () => upstream.open() === 0, 3_000)
  await closed
  expect([requests, opened <= 200, kept > 0]).toEqual([1_000, true, true])
})

test('a page of parts opens as many as its parts at once, and the next one opens none', async () => {
  const parts = Object.fromEntries(['a', 'b', 'c', 'd'].map((name) => [name, { upstream: 'main', path: `/${name}` }]))
  const scene = await openScene({
    answer: ['HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}'],
    config: (upstream) => ({
      ...simpleConfig(upstream),
      routes: { page: { path: '/page', methods: ['GET'], policies: [{ aggregate: { parts } }] } },
    }),
  })
  for (let i = 0; i < 10; i++) expect((await scene.get('/page')).status).toBe(200)
  const { received, requests } = scene.upstream
  const seen = [requests.length, received.length <= 4]
  await scene.close()
  expect(seen).toEqual([40, true])
})

test('bytes above 127 in a value pass as they are', async () => {
  const scene = await openScene({ answer: [OK.replace('OK\r\n', 'OK\r\nX-Name: J\xf6rg \x80\r\n')] })
  const reply = await scene.get('/')
  await scene.close()
  expect([reply.header('x-name'), reply.text()]).toEqual(['J\xf6rg \x80', 'ok'])
})
