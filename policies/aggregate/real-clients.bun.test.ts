import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { connect } from 'node:net'
import { openScene, type Scene, SERVICES } from '../../tests/e2e/scene.ts'
import { rawRequest } from '../../tests/support/raw-http.ts'
import { until } from '../../tests/support/real-time.ts'

const HEAD = 'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n'
const whole = (body: string) => `${HEAD}Content-Length: ${body.length}\r\n\r\n${body}`
const BIG = `"${'x'.repeat(900_000)}"`
const BIG_PARTS = 12

let scene: Scene
let release: () => void

beforeAll(async () => {
  const released = new Promise<void>((resolve) => {
    release = resolve
  })
  scene = await openScene({
    answer: ({ requestLine }) => {
      const [, target = ''] = requestLine.split(' ')
      if (target === '/hang') return ['hang']
      if (target === '/late') return [{ waitFor: released }, whole('{"late":true}')]
      return [whole(target === '/big' ? BIG : '{"n":1.0}')]
    },
    config: (upstream) => {
      const part = (path: string) => ({ upstream: 'main', path })
      const big = Object.fromEntries(Array.from({ length: BIG_PARTS }, (_, i) => [`big${i}`, part('/big')]))
      const route = (path: string, parts: object) => ({ path, policies: [{ aggregate: { stream: true, parts } }] })
      return {
        version: 1,
        services: SERVICES,
        upstreams: { main: { url: upstream } },
        routes: {
          late: route('/late', { now: part('/now'), late: part('/late') }),
          hang: route('/hang', { now: part('/now'), hang: part('/hang') }),
          big: route('/big', big),
          now: route('/now', { now: part('/now') }),
        },
      }
    },
  })
})

afterAll(() => scene.close())

const asked = (target: string) =>
  scene.upstream.requests.filter(({ requestLine }) => requestLine.includes(` ${target} `))
const request = (target: string, ...lines: readonly string[]) =>
  [`GET ${target} HTTP/1.1`, 'Host: shop.test', ...lines, '', ''].join('\r\n')
const STREAM = 'Accept: application/x-ndjson'

describe('a streamed answer over a real connection', () => {
  test('reaches the client part by part', async () => {
    let received = ''
    const reading = rawRequest(scene.port, request('/late', STREAM), {
      onData: (bytes) => {
        received += new TextDecoder().decode(bytes)
      },
    })
    await until('the first part is there', async () => received.includes('"body":{"n":1.0}'))
    expect(received).not.toContain('"late":true')
    release()
    const [reply] = await reading
    expect(reply?.complete).toBe(true)
    const [now, late, last, ...more] = reply?.text().trimEnd().split('\n') ?? []
    expect([now, late].map((line) => JSON.parse(line ?? '').part)).toEqual(['now', 'late'])
    expect(JSON.parse(last ?? '')).toMatchObject({ complete: true })
    expect(more).toEqual([])
    await scene.settled()
  })

  test('ends its calls when the client hangs up in the middle', async () => {
    const client = connect({ port: scene.port, host: '127.0.0.1' })
    let received = ''
    client.on('data', (bytes) => {
      received += bytes.toString()
    })
    client.write(request('/hang', STREAM))
    await until('the first part is there', async () => received.includes('"part":"now"'))
    const [call] = asked('/hang')
    client.destroy()
    await call?.connectionClosed
    await until('the end is noted', async () =>
      scene.lines.some(({ message, facts }) => message === 'stream ended' && facts.failure === 'client-gone'),
    )
    await scene.settled()
  })

  test('waits for a client that does not read, and asks for nothing again', async () => {
    const client = connect({ port: scene.port, host: '127.0.0.1' })
    client.pause()
    client.write(request('/big', STREAM))
    await until('every part was asked for', async () => asked('/big').length === BIG_PARTS)
    await until('all is composed', async () =>
      scene.lines.some(({ message, facts }) => message === 'stream ended' && facts.route === 'big'),
    )
    let size = 0
    let tail = ''
    client.on('data', (bytes) => {
      size += bytes.length
      tail = (tail + bytes.toString()).slice(-100_000)
    })
    client.resume()
    await until('all has come', async () => tail.includes('"complete":true'))
    expect(size).toBeGreaterThan(BIG_PARTS * BIG.length)
    expect(asked('/big')).toHaveLength(BIG_PARTS)
    client.destroy()
    await scene.settled()
  })
})

describe('a document over a real connection', () => {
  test('has for HEAD the fields of GET and no body', async () => {
    const get = await scene.get('/now')
    const [head] = await rawRequest(scene.port, request('/now').replace('GET', 'HEAD'), { head: true })
    expect(get.text()).toBe('{"now":{"n":1.0}}')
    for (const name of ['content-length', 'content-type', 'etag', 'cache-control', 'vary'])
      expect([name, head?.header(name)]).toEqual([name, get.header(name)])
    expect(head?.header('content-length')).toBe('17')
  })

  test('is not sent again to a client that has it', async () => {
    const tag = (await scene.get('/now')).header('etag') ?? ''
    const reply = await scene.get('/now', `If-None-Match: W/${tag}`)
    expect([reply.status, reply.header('etag'), reply.text()]).toEqual([304, tag, ''])
  })
})
