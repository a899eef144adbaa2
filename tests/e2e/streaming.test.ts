import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startGateway } from '../../gateway/runtimes/bun/start.ts'
import { until } from '../support/real-time.ts'
import { recordTelemetry } from '../support/recorded-telemetry.ts'
import { startWranglerDev, WRANGLER_STARTS_WITHIN_MS } from '../support/wrangler-dev.ts'

/** Parts reach their client as they finish, out of a real process and through real sockets. */

interface Served {
  readonly url: string
  stop(): Promise<void>
}

const RUNTIMES = [
  { runtime: 'Bun', serve: serveOnBun, tellsOfLeaving: true },
  {
    runtime: 'wrangler dev',
    serve: (config: object): Promise<Served> => startWranglerDev({ config }),
    tellsOfLeaving: false,
  },
]

async function serveOnBun(config: object): Promise<Served> {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-streaming-'))
  const file = join(folder, 'gateway.yaml')
  writeFileSync(file, JSON.stringify({ ...config, services: { outbox: 'memory:', journal: 'memory:' } }))
  const gateway = await startGateway({ config: file, port: 0, adminPort: 0, log: recordTelemetry().log })
  return {
    url: gateway.url,
    async stop() {
      await gateway.stop()
      rmSync(folder, { recursive: true })
    },
  }
}

describe.each(RUNTIMES)('a streamed answer on $runtime', ({ serve, tellsOfLeaving }) => {
  /** Calls that wait for their answer, by path. */
  const waiting = new Map<string, PromiseWithResolvers<Response>>()
  const cancelled: string[] = []
  let upstream: ReturnType<typeof Bun.serve>
  let served: Served

  beforeAll(async () => {
    upstream = Bun.serve({
      hostname: '127.0.0.1',
      port: 0,
      idleTimeout: 0,
      fetch({ url, signal }) {
        const { pathname } = new URL(url)
        const call = Promise.withResolvers<Response>()
        waiting.set(pathname, call)
        signal.addEventListener('abort', () => cancelled.push(pathname))
        return call.promise
      },
    })
    const parts = {
      account: { upstream: 'shop', path: '/account/{params.id}', required: true },
      orders: { upstream: 'shop', path: '/orders/{params.id}' },
      hints: { upstream: 'shop', path: '/hints/{parts.account.body.name}', fallback: [] },
    }
    served = await serve({
      version: 1,
      upstreams: { shop: { url: `http://127.0.0.1:${upstream.port}` } },
      routes: {
        page: {
          path: '/page/:id',
          methods: ['GET'],
          timeout: '30s',
          policies: [{ aggregate: { stream: true, timeout: '25s', parts } }],
        },
      },
    })
  }, WRANGLER_STARTS_WITHIN_MS + 10_000)
  afterAll(async () => {
    await served?.stop()
    await upstream?.stop(true)
  })

  /** Answers a call as soon as it is there. */
  async function answer(path: string, response: Response): Promise<void> {
    await until(`a call of ${path}`, () => waiting.has(path))
    waiting.get(path)?.resolve(response)
    waiting.delete(path)
  }
  async function open(id: string, accept: string, more: Record<string, string> = {}, signal?: AbortSignal) {
    const asking = fetch(`${served.url}/page/${id}`, { headers: { accept, ...more }, ...(signal && { signal }) })
    // What has not been answered yet cannot be in the head that comes now.
    await answer(`/orders/${id}`, Response.json([1, 2]))
    const response = await asking
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader()
    let text = ''
    return {
      response,
      /** Everything up to and with `end`, as soon as that has come. */
      async upTo(end: string): Promise<string> {
        while (!text.includes(end)) {
          const piece = await reader?.read()
          if (!piece || piece.done) throw new Error(`The stream ended with: ${text}`)
          text += piece.value
        }
        const taken = text.slice(0, text.indexOf(end) + end.length)
        text = text.slice(taken.length)
        return taken
      },
      async isAtEnd(): Promise<boolean> {
        return text === '' && (await reader?.read())?.done === true
      },
    }
  }
  const parse = (json: string) => JSON.parse(json) as unknown

  test('brings lines as parts finish, while others are still asked', async () => {
    const { response, upTo, isAtEnd } = await open('1', 'application/x-ndjson')
    expect([response.status, response.headers.get('content-type')]).toEqual([200, 'application/x-ndjson'])
    expect(response.headers.get('cache-control')).toBe('no-store')
    expect(parse(await upTo('\n'))).toMatchObject({ part: 'orders', outcome: 'ok', body: [1, 2] })
    expect([...waiting.keys()]).toEqual(['/account/1'])
    await answer('/account/1', Response.json({ name: 'ada' }))
    expect(parse(await upTo('\n'))).toMatchObject({ part: 'account', outcome: 'ok', body: { name: 'ada' } })
    await answer('/hints/ada', new Response(null, { status: 500 }))
    expect(parse(await upTo('\n'))).toMatchObject({ part: 'hints', outcome: 'fallback', body: [] })
    expect(parse(await upTo('\n'))).toMatchObject({ complete: false, parts: [{}, {}, {}] })
    expect(await isAtEnd()).toBe(true)
  }, 15_000)

  test('brings server-sent events as parts finish, also to a client that takes gzip', async () => {
    const { response, upTo, isAtEnd } = await open('2', 'text/event-stream', { 'accept-encoding': 'gzip, br' })
    expect([response.status, response.headers.get('content-type')]).toEqual([200, 'text/event-stream'])
    expect(await upTo('\n\n')).toMatch(/^event: part\nid: 1\ndata: \{"part":"orders",.*"body":\[1,2\]\}\n\n$/)
    expect([...waiting.keys()]).toEqual(['/account/2'])
    await answer('/account/2', Response.json({ name: 'bob' }))
    expect(await upTo('\n\n')).toMatch(/^event: part\nid: 2\ndata: \{"part":"account",/)
    await answer('/hints/bob', Response.json(['x']))
    expect(await upTo('\n\n')).toMatch(/^event: part\nid: 3\ndata: \{"part":"hints",/)
    expect(await upTo('\n\n')).toMatch(/^event: end\nid: end\ndata: \{"complete":true,/)
    expect(await isAtEnd()).toBe(true)

    const again = await fetch(`${served.url}/page/2`, {
      headers: { accept: 'text/event-stream', 'last-event-id': 'end' },
    })
    expect(again.status).toBe(204)
    expect(waiting.size).toBe(0)
  }, 15_000)

  test('ends with the problem when a required part fails after the first line', async () => {
    const { upTo, isAtEnd } = await open('3', 'application/x-ndjson')
    expect(parse(await upTo('\n'))).toMatchObject({ part: 'orders' })
    await answer('/account/3', new Response(null, { status: 503 }))
    expect(parse(await upTo('\n'))).toMatchObject({ part: 'account', outcome: 'failed', status: 503 })
    expect(parse(await upTo('\n'))).toMatchObject({ part: 'hints', outcome: 'fallback', error: 'input' })
    expect(parse(await upTo('\n'))).toMatchObject({
      complete: false,
      problem: { status: 502, detail: 'The part "account" failed: its upstream answered 503' },
    })
    expect(await isAtEnd()).toBe(true)
  }, 15_000)

  // workerd on this machine tells nobody that a client has left; Cloudflare does.
  if (tellsOfLeaving) {
    test.if(tellsOfLeaving)(
      'cancels the calls that are left when its client leaves',
      async () => {
        const client = new AbortController()
        const { upTo } = await open('4', 'application/x-ndjson', {}, client.signal)
        expect(parse(await upTo('\n'))).toMatchObject({ part: 'orders' })
        client.abort()
        await until('the call was cancelled', () => cancelled.includes('/account/4'))
        waiting.delete('/account/4')
      },
      30_000,
    )
  }
})
