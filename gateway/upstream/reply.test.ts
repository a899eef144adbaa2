import { describe, expect, test } from 'bun:test'
import { createTestGateway, type ScriptedUpstream } from '../../tests/support/gateway.ts'

async function through(upstream: ScriptedUpstream, method = 'GET') {
  const gateway = await createTestGateway({ upstream })
  return { response: await gateway.fetch('/x/1', { method }), gateway }
}

/** A reply as a lax runtime might hand it over: `Response` would refuse such a status itself. */
function replyWith(status: number, fields: Record<string, string> = {}): Response {
  return Object.create(new Response('x'), {
    status: { value: status },
    headers: { value: new Headers(fields) },
    body: { value: null },
  }) as Response
}

describe('a reply of an upstream', () => {
  test('passes with its status, its fields and its bytes', async () => {
    const bytes = new Uint8Array([31, 139, 0, 255])
    const { response } = await through(
      () =>
        new Response(bytes, {
          status: 207,
          headers: { 'content-encoding': 'gzip', 'x-own': '1', 'set-cookie': 'a=1' },
        }),
    )
    expect([
      response.status,
      response.headers.get('content-encoding'),
      response.headers.get('x-own'),
      response.headers.get('set-cookie'),
    ]).toEqual([207, 'gzip', '1', 'a=1'])
    expect(new Uint8Array(await response.arrayBuffer())).toEqual(bytes)
  })

  for (const status of [100, 101, 199, 600, 999]) {
    test(`of status ${status} is answered for with 502`, async () => {
      const { response, gateway } = await through(() => replyWith(status))
      expect(response.status).toBe(502)
      expect(await response.json()).toMatchObject({ type: 'urn:sluice:problem:upstream-invalid-response' })
      expect(gateway.records[0]?.calls).toMatchObject([
        { failure: 'upstream-invalid-response', cause: `status ${status}` },
      ])
    })
  }

  for (const [name, fields] of [
    ['two framings', { 'content-length': '2', 'transfer-encoding': 'chunked' }],
    ['an unknown coding', { 'transfer-encoding': 'gzip' }],
  ] as const) {
    test(`with ${name} is answered for with 502`, async () => {
      const { response } = await through(() => replyWith(200, fields))
      expect(response.status).toBe(502)
    })
  }

  for (const status of [204, 205, 304]) {
    test(`of status ${status} has no body`, async () => {
      const { response } = await through(() => new Response(null, { status, headers: { etag: '"a"' } }))
      expect([response.status, response.headers.get('etag'), await response.text()]).toEqual([status, '"a"', ''])
    })
  }

  test('to HEAD keeps its length and loses a body that should not be there', async () => {
    const { response } = await through(() => new Response('body', { headers: { 'content-length': '4' } }), 'HEAD')
    expect([response.headers.get('content-length'), await response.text()]).toEqual(['4', ''])
  })

  test('that redirects is passed on as it is', async () => {
    const { response, gateway } = await through(
      () => new Response(null, { status: 302, headers: { location: 'http://10.0.0.1/' } }),
    )
    expect([response.status, response.headers.get('location'), gateway.upstreamRequests.length]).toEqual([
      302,
      'http://10.0.0.1/',
      1,
    ])
  })

  test('that never comes is answered for with 502, and the reason stays in the log', async () => {
    const { response, gateway } = await through(() => {
      throw new TypeError('secret-host:5432 refused')
    })
    expect(response.status).toBe(502)
    expect(await response.text()).not.toContain('secret-host')
    expect(JSON.stringify(gateway.records[0]?.calls)).toContain('secret-host')
  })
})
