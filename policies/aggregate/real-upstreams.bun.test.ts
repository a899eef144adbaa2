import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { openScene, type Scene, SERVICES } from '../../tests/e2e/scene.ts'
import type { RawStep } from '../../tests/support/raw-upstream.ts'
import { until } from '../../tests/support/real-time.ts'

const HEAD = 'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n'
const JSON_10_MB = `"${'x'.repeat(10_000_000)}"`

const whole = (body: string) => `${HEAD}Content-Length: ${body.length}\r\n\r\n${body}`

interface Broken {
  readonly name: string
  readonly steps: readonly RawStep[]
  readonly error: string
}

/** What real upstreams do and no `Response` can. Each is asked as an optional part beside one that is well. */
const BROKEN: readonly Broken[] = [
  {
    name: 'ends before its length',
    steps: [`${HEAD}Content-Length: 100\r\n\r\n{"a":1}`, 'close'],
    error: 'invalid-response',
  },
  {
    name: 'resets before its length',
    steps: [`${HEAD}Content-Length: 100\r\n\r\n{"a":1}`, 'reset'],
    // Whether the head was read before the reset came is the system's to decide.
    error: 'invalid-response|unreachable',
  },
  {
    name: 'ends without the last chunk',
    steps: [`${HEAD}Transfer-Encoding: chunked\r\n\r\n7\r\n{"a":1}\r\n`, 'close'],
    error: 'invalid-response',
  },
  { name: 'hangs before the head', steps: ['hang'], error: 'timeout' },
  { name: 'hangs within the body', steps: [`${HEAD}Content-Length: 100\r\n\r\n{"a":`, 'hang'], error: 'timeout' },
  { name: 'answers garbage', steps: ['GARBAGE GARBAGE\r\n\r\n', 'close'], error: 'invalid-response' },
  { name: 'answers 999', steps: ['HTTP/1.1 999 What\r\nContent-Length: 0\r\n\r\n'], error: 'invalid-response' },
  {
    name: 'answers 101 though nobody asked',
    steps: ['HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n', 'close'],
    error: 'invalid-response|unreachable|status',
  },
  {
    name: 'answers as HTTP/0.9 does',
    steps: ['{"a":1}', 'close'],
    error: 'invalid-response|unreachable',
  },
  {
    name: 'answers 304 though nobody asked',
    steps: ['HTTP/1.1 304 Not Modified\r\nETag: "x"\r\n\r\n'],
    error: 'status',
  },
  {
    name: 'answers 204 with a length',
    steps: ['HTTP/1.1 204 No Content\r\nContent-Type: application/json\r\nContent-Length: 5\r\n\r\n', 'close'],
    error: 'invalid-response|unreachable',
  },
  { name: 'answers 204', steps: ['HTTP/1.1 204 No Content\r\n\r\n'], error: 'invalid-response' },
  {
    name: 'redirects inside',
    steps: ['HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/secret\r\nContent-Length: 0\r\n\r\n'],
    error: 'status',
  },
  { name: 'sends 10 MB', steps: [whole(JSON_10_MB)], error: 'too-large' },
  {
    name: 'sends 10 MB in chunks',
    steps: [`${HEAD}Transfer-Encoding: chunked\r\n\r\n${JSON_10_MB.length.toString(16)}\r\n${JSON_10_MB}\r\n0\r\n\r\n`],
    error: 'too-large',
  },
]

let scene: Scene

beforeAll(async () => {
  scene = await openScene({
    answer: ({ requestLine }) => {
      const [, target = ''] = requestLine.split(' ')
      if (target === '/fine') return [whole('{"fine":true}')]
      if (target === '/hang') return ['hang']
      if (target === '/hinted') return [`HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n${whole('{"late":1}')}`]
      return BROKEN[Number(target.slice('/broken/'.length))]?.steps ?? ['close']
    },
    config: (upstream) => ({
      version: 1,
      services: SERVICES,
      upstreams: { main: { url: upstream } },
      routes: {
        broken: {
          path: '/broken/:case',
          policies: [
            {
              aggregate: {
                parts: {
                  broken: { upstream: 'main', path: '/broken/{params.case}', timeout: '500ms' },
                  fine: { upstream: 'main', path: '/fine' },
                },
              },
            },
          ],
        },
        hinted: {
          path: '/hinted',
          policies: [{ aggregate: { parts: { hinted: { upstream: 'main', path: '/hinted' } } } }],
        },
        hang: {
          path: '/hang',
          policies: [
            {
              aggregate: {
                parts: { one: { upstream: 'main', path: '/hang' }, two: { upstream: 'main', path: '/hang' } },
              },
            },
          ],
        },
      },
    }),
  })
})

afterAll(() => scene.close())

describe('a part over a real connection', () => {
  test.each(BROKEN.map((each, index) => ({ ...each, index })))(
    'fails alone when its upstream $name',
    async ({ index, error }) => {
      const reply = await scene.get(`/broken/${index}`)
      expect(reply.status).toBe(200)
      expect(reply.text()).toBe('{"fine":{"fine":true}}')
      expect(reply.header('composition-status')).toMatch(new RegExp(`^broken;failed;error="(?:${error})"`))
      await scene.settled()
    },
  )

  test('is read after an early hint', async () => {
    const reply = await scene.get('/hinted')
    expect(reply.header('composition-complete')).toBe('?1')
    expect(reply.text()).toBe('{"hinted":{"late":1}}')
    await scene.settled()
  })

  test('is hung up on when the client leaves', async () => {
    const client = new AbortController()
    const answer = fetch(`${scene.url}/hang`, { signal: client.signal }).catch(() => 'left')
    const asked = () => scene.upstream.requests.filter(({ requestLine }) => requestLine.includes('/hang')).length
    await until('both parts are asked', async () => asked() === 2)
    const closed = scene.upstream.requests.slice(-2).map(({ connectionClosed }) => connectionClosed)
    client.abort()
    expect(await answer).toBe('left')
    await Promise.all(closed)
    await scene.settled()
    expect(scene.records().at(-1)).toMatchObject({ route: 'hang', failure: 'client-gone' })
  })
})
