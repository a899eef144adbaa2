import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { connect } from 'node:net'
import type { ServerWebSocket } from 'bun'
import { quickest, until } from '../support/real-time.ts'
import { openScene, problemCode, type Scene, SERVICES } from './scene.ts'

/** WebSockets through the gateway, with Bun's own client and server at the ends. */

interface Seen {
  readonly socket: ServerWebSocket<unknown>
  readonly headers: Headers
  readonly url: string
  close?: { readonly code: number; readonly reason: string }
}

const seen: Seen[] = []
const upstream = Bun.serve<{ seen?: Seen; headers: Headers; url: string }>({
  hostname: '127.0.0.1',
  port: 0,
  fetch(request, server) {
    const { headers, url } = request
    if (url.endsWith('/refuse')) return new Response('no', { status: 401 })
    const wanted = headers
      .get('sec-websocket-protocol')
      ?.split(',')
      .map((name) => name.trim())
    const protocol = wanted?.find((name) => name === 'chat.v2')
    const answer = protocol === undefined ? {} : { headers: { 'sec-websocket-protocol': protocol } }
    return server.upgrade(request, { data: { headers, url }, ...answer }) ? undefined : new Response('plain')
  },
  websocket: {
    open(socket) {
      const { headers, url } = socket.data
      socket.data.seen = { socket, headers, url }
      seen.push(socket.data.seen)
      if (url.endsWith('/greet')) socket.send('welcome')
      if (url.endsWith('/close-at-once')) socket.close(4_001, 'go away')
    },
    message(socket, data) {
      socket.send(data)
    },
    close(socket, code, reason) {
      if (socket.data.seen) socket.data.seen.close = { code, reason }
    },
  },
})

let scene: Scene

beforeAll(async () => {
  scene = await openScene({
    config: (raw) => ({
      version: 1,
      server: { limits: { body: '64KiB' } },
      services: SERVICES,
      upstreams: {
        sockets: { url: `http://127.0.0.1:${upstream.port}`, websocket: true },
        plain: { url: `http://127.0.0.1:${upstream.port}` },
        raw: { url: raw, websocket: true },
        gone: { url: 'http://127.0.0.1:1', websocket: true },
      },
      routes: {
        sockets: { path: '/ws/*', upstream: 'sockets' },
        plain: { path: '/plain/*', upstream: 'plain' },
        raw: { path: '/raw', upstream: 'raw' },
        gone: { path: '/gone', upstream: 'gone' },
        guarded: {
          path: '/guarded',
          policies: [{ 'api-key': { clients: { bob: { keys: [`sha256:${'0'.repeat(64)}`] } } } }],
          upstream: 'sockets',
        },
      },
    }),
  })
})
afterAll(async () => {
  await scene.settled()
  await scene.close()
  await upstream.stop(true)
})

interface Session {
  readonly socket: WebSocket
  readonly received: (string | Uint8Array)[]
  closed?: { readonly code: number; readonly reason: string }
}

async function open(path: string, protocols: string[] = []): Promise<Session> {
  const socket = new WebSocket(`${scene.url.replace('http', 'ws')}${path}`, protocols)
  socket.binaryType = 'arraybuffer'
  const session: Session = { socket, received: [] }
  socket.onmessage = ({ data }) => session.received.push(typeof data === 'string' ? data : new Uint8Array(data))
  socket.onclose = ({ code, reason }) => {
    session.closed = { code, reason }
  }
  await until('the WebSocket to open', () => socket.readyState !== WebSocket.CONNECTING)
  return session
}

const lastSeen = () => {
  const last = seen.at(-1)
  if (!last) throw new Error('The upstream saw no WebSocket')
  return last
}

describe('a WebSocket', () => {
  test('carries text and bytes both ways, in order', async () => {
    const session = await open('/ws/echo?room=1')
    const messages = [
      'hello',
      'grüß dich \u{1f600}',
      '',
      new Uint8Array([0, 1, 255]),
      'x'.repeat(60_000),
      new Uint8Array(60_000).fill(7),
    ]
    for (const message of messages) session.socket.send(message)
    await until('every echo', () => session.received.length === messages.length)
    expect(session.received).toEqual(messages)
    expect(lastSeen().url).toEndWith('/ws/echo?room=1')
    session.socket.close(1000)
    await until('the close', () => session.closed !== undefined)
  })

  test('is announced to the upstream like any request, without the client’s own words about itself', async () => {
    const session = await open('/ws/echo')
    const { headers } = lastSeen()
    expect(headers.get('x-forwarded-for')).toBe('127.0.0.1')
    expect(headers.get('via')).toBe('1.1 sluice')
    expect(headers.get('host')).toBe(`127.0.0.1:${upstream.port}`)
    session.socket.close()
    await until('the close', () => session.closed !== undefined)
  })

  test('brings what the upstream says before the client is joined', async () => {
    const session = await open('/ws/greet')
    await until('the greeting', () => session.received.length > 0)
    expect(session.received).toEqual(['welcome'])
    session.socket.close()
  })

  test('agrees on the subprotocol the upstream chose', async () => {
    const session = await open('/ws/echo', ['chat.v1', 'chat.v2'])
    expect(session.socket.protocol).toBe('chat.v2')
    session.socket.close()
    await until('the close', () => session.closed !== undefined)
  })

  for (const [code, reason] of [
    [1000, 'done'],
    [3000, 'mine'],
    [4999, 'grüße'],
  ] as const) {
    test(`closed by the client with ${code} is closed so at the upstream`, async () => {
      const session = await open('/ws/echo')
      const upstreamSide = lastSeen()
      session.socket.close(code, reason)
      await until('the close', () => upstreamSide.close !== undefined && session.closed !== undefined)
      expect(upstreamSide.close).toEqual({ code, reason })
      expect(session.closed?.code).toBe(code)
    })
  }

  for (const [code, reason] of [
    [1000, 'done'],
    [1001, ''],
    [1011, 'oops'],
    [3000, 'mine'],
    [4999, 'x'],
  ] as const) {
    test(`closed by the upstream with ${code} is closed so at the client`, async () => {
      const session = await open('/ws/echo')
      lastSeen().socket.close(code, reason)
      await until('the close', () => session.closed !== undefined)
      expect(session.closed).toEqual({ code, reason })
    })
  }

  test('closed by the upstream at once opens and closes', async () => {
    const session = await open('/ws/close-at-once')
    await until('the close', () => session.closed !== undefined)
    expect(session.closed).toEqual({ code: 4_001, reason: 'go away' })
  })

  test('closed without a code stays without an error', async () => {
    const session = await open('/ws/echo')
    const upstreamSide = lastSeen()
    session.socket.close()
    await until('the close', () => upstreamSide.close !== undefined)
    expect([1000, 1005]).toContain(upstreamSide.close?.code ?? 0)
  })

  test('whose upstream dies is closed with 1011 within a second', async () => {
    const measure = async () => {
      const session = await open('/ws/echo')
      const diedAt = performance.now()
      lastSeen().socket.terminate()
      await until('the close', () => session.closed !== undefined)
      expect([1011, 1012]).toContain(session.closed?.code ?? 0)
      return performance.now() - diedAt
    }
    expect(await quickest(1_000, measure)).toBeLessThanOrEqual(1_000)
  })

  test('whose client dies is closed at the upstream', async () => {
    const count = seen.length
    const socket = connect({ port: scene.port, host: '127.0.0.1' })
    socket.write(handshake('/ws/echo'))
    await until('the upstream to be joined', () => seen.length > count)
    const upstreamSide = lastSeen()
    socket.resetAndDestroy()
    await until('the close', () => upstreamSide.close !== undefined)
  })

  test('message over the limit closes it with 1009 or at once', async () => {
    const session = await open('/ws/echo')
    session.socket.send('x'.repeat(70_000))
    await until('the close', () => session.closed !== undefined)
    expect([1006, 1009]).toContain(session.closed?.code ?? 0)
    expect(session.received).toEqual([])
  })
})

const KEY = 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=='

function handshake(
  path: string,
  lines: readonly string[] = [KEY, 'Sec-WebSocket-Version: 13'],
  method = 'GET',
): string {
  return `${[`${method} ${path} HTTP/1.1`, 'Host: shop.test', 'Connection: Upgrade', 'Upgrade: websocket', ...lines].join('\r\n')}\r\n\r\n`
}

describe('a handshake', () => {
  const refusals: readonly (readonly [string, string, number, string | undefined])[] = [
    ['on a route that passes none on', handshake('/plain/x'), 403, 'forbidden'],
    ['on a route whose policies refuse it', handshake('/guarded'), 401, 'missing-credentials'],
    ['on no route', handshake('/nowhere'), 404, 'route-not-found'],
    ['of version 12', handshake('/ws/echo', [KEY, 'Sec-WebSocket-Version: 12']), 426, 'upgrade-required'],
    ['without a version', handshake('/ws/echo', [KEY]), 426, 'upgrade-required'],
    ['without a key', handshake('/ws/echo', ['Sec-WebSocket-Version: 13']), 400, 'invalid-request'],
    [
      'with a key that is too short',
      handshake('/ws/echo', ['Sec-WebSocket-Key: abc', 'Sec-WebSocket-Version: 13']),
      400,
      'invalid-request',
    ],
    ['that the upstream refuses', handshake('/ws/refuse'), 502, 'websocket-refused'],
    ['that the upstream answers with no WebSocket', handshake('/raw'), 502, 'websocket-refused'],
    [
      'with subprotocols that are no names',
      handshake('/ws/echo', [KEY, 'Sec-WebSocket-Version: 13', 'Sec-WebSocket-Protocol: a,,b']),
      400,
      'invalid-request',
    ],
  ]
  for (const [name, bytes, status, code] of refusals) {
    test(`${name} is refused with ${status}`, async () => {
      const count = seen.length
      const [reply] = await scene.send(bytes)
      expect([reply?.status, problemCode(reply)]).toEqual([status, code])
      expect(seen).toHaveLength(count)
      if (status === 426) expect(reply?.header('sec-websocket-version')).toBe('13')
      await scene.settled()
    })
  }

  test.each([
    { name: 'was answered otherwise', path: '/raw', cause: 'Expected 101' },
    { name: 'reached nobody', path: '/gone', cause: 'Failed to connect' },
  ])('that $name says so in the log without its query', async ({ path, cause }) => {
    const [reply] = await scene.send(handshake(`${path}?access_token=s3cret`))
    expect(reply?.status).toBe(502)
    const line = JSON.stringify(scene.records().at(-1))
    expect(line).toContain(`WebSocket connection failed: ${cause}`)
    expect(line).not.toContain('s3cret')
  })

  test('by POST is no handshake', async () => {
    const [reply] = await scene.send(
      handshake('/ws/echo', [KEY, 'Sec-WebSocket-Version: 13', 'Content-Length: 0'], 'POST'),
    )
    expect([reply?.status, reply?.text()]).toEqual([200, 'plain'])
  })
})
