import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Program, startPrograms } from '../support/program.ts'
import { type RawReply, rawRequest } from '../support/raw-http.ts'
import { until } from '../support/real-time.ts'

/** A gateway that ends while clients order, wait, listen to a stream of events and talk over a WebSocket. */

const GRACE_MS = 4_000
let folder: string
let config: string
let finish = Promise.withResolvers<void>()
let waiting = 0
const stored = new Set<string>()
const closedAtUpstream: number[] = []
const programs = startPrograms(() => folder)

const upstream = Bun.serve({
  hostname: '127.0.0.1',
  port: 0,
  idleTimeout: 60,
  async fetch(request, server) {
    const { pathname } = new URL(request.url)
    if (pathname === '/ws') return server.upgrade(request) ? undefined : new Response('no', { status: 400 })
    if (pathname === '/stream') return eventStream(finish.promise)
    if (pathname === '/endless') return eventStream(new Promise(() => {}))
    if (pathname === '/orders') {
      const { id } = (await request.json()) as { readonly id: string }
      stored.add(id)
      return Response.json({ id }, { status: 201 })
    }
    waiting += 1
    await finish.promise
    return new Response('done')
  },
  websocket: {
    message: (socket, data) => void socket.send(data),
    close: (_socket, code) => void closedAtUpstream.push(code),
  },
})

function eventStream(end: Promise<void>): Response {
  let timer: ReturnType<typeof setInterval>
  const body = new ReadableStream<string>({
    start(stream) {
      timer = setInterval(() => stream.enqueue('data: tick\n\n'), 20)
      void end.then(() => {
        clearInterval(timer)
        stream.enqueue('data: last\n\n')
        stream.close()
      })
    },
    cancel: () => clearInterval(timer),
  })
  return new Response(body, { headers: { 'content-type': 'text/event-stream' } })
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-stopping-'))
  config = join(folder, 'gateway.yaml')
  const publish = { type: 'order.placed', exchange: 'shop.events', subject: '{response.body.id}' }
  const gateway = {
    version: 1,
    server: { grace: `${GRACE_MS}ms` },
    services: { broker: `embedded:?file=${folder}/broker.db`, outbox: `sqlite:${folder}/outbox.db`, store: 'memory:' },
    topology: {
      exchanges: ['shop.events'],
      queues: { 'warehouse.orders': { exchange: 'shop.events', bind: ['order.placed'] } },
    },
    upstreams: { shop: { url: `http://127.0.0.1:${upstream.port}`, websocket: true } },
    routes: {
      orders: { path: '/orders', methods: ['POST'], policies: [{ publish }], upstream: 'shop' },
      rest: { path: '/*', upstream: 'shop' },
    },
  }
  await writeFile(config, JSON.stringify(gateway))
})
afterEach(() => {
  programs.endAll()
  finish = Promise.withResolvers()
})
afterAll(async () => {
  await upstream.stop(true)
  await rm(folder, { recursive: true, force: true })
})

const start = () => programs.run(['start', '--config', config, '--port', '0', '--admin-port', '0'])
const get = (port: number, path: string) =>
  rawRequest(port, `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`, { timeoutMs: 20_000 }).then(([reply]) => reply)

/** Orders until nobody listens any more; resolves with the orders that were answered with 201, and all other answers. */
async function orderOn(port: number, prefix: string) {
  const answered: string[] = []
  const others: RawReply[] = []
  for (let i = 0; ; i++) {
    const id = `${prefix}-${i}`
    const body = JSON.stringify({ id })
    const head = `POST /orders HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nConnection: close`
    try {
      const [reply] = await rawRequest(port, `${head}\r\nContent-Length: ${body.length}\r\n\r\n${body}`)
      if (reply?.status === 201 && reply.complete) answered.push(id)
      else if (reply) others.push(reply)
    } catch {
      return { answered, others }
    }
  }
}

async function gauge(program: Program, name: string): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${await program.adminPort()}/_sluice/metrics`)).text()
  return Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(text)?.[1])
}

describe('a gateway that ends under load', () => {
  test('by SIGTERM finishes what it has taken, refuses what is new and keeps every event (OPS-02)', async () => {
    const program = start()
    const port = await program.port()
    const load = Array.from({ length: 6 }, (_, i) => orderOn(port, `term-${i}`))
    const waits = Array.from({ length: 20 }, () => get(port, '/wait'))
    const [stream, endless] = [get(port, '/stream'), get(port, '/endless')]
    const said: unknown[] = []
    const closed = Promise.withResolvers<number>()
    const socket = new WebSocket(`ws://127.0.0.1:${port}/ws`)
    socket.onmessage = ({ data }) => said.push(data)
    socket.onclose = ({ code }) => closed.resolve(code)
    await until('everything under way', () => {
      return waiting === 20 && stored.size > 100 && socket.readyState === WebSocket.OPEN
    })

    const stoppedAt = performance.now()
    program.child.kill('SIGTERM')
    const orders = await Promise.all(load)
    expect(program.child.exitCode).toBeNull()
    socket.send('still there?')
    await until('an answer over the WebSocket', () => said.length === 1)
    finish.resolve()
    for (const reply of await Promise.all(waits)) expect([reply?.status, reply?.text()]).toEqual([200, 'done'])
    const streamed = await stream
    expect([streamed?.complete, streamed?.text().endsWith('data: last\n\n')]).toEqual([true, true])
    // What never ends is cut off when the time is over, and not before.
    expect((await endless)?.complete).toBe(false)
    expect(performance.now() - stoppedAt).toBeGreaterThan(GRACE_MS - 500)
    expect(await closed.promise).toBe(1001)
    await until('the end of the WebSocket at the upstream', () => closedAtUpstream.length === 1)
    expect(await program.exit()).toBe(0)

    expect(orders.flatMap(({ others }) => others.map(({ status }) => status))).toEqual([])
    const answered = orders.flatMap((each) => each.answered)
    expect(answered.sort()).toEqual([...stored].sort())
    await expectEvents(start())
  }, 60_000)

  test('by SIGKILL serves again on the same files, and announces every order that was stored (OPS-03)', async () => {
    const program = start()
    const port = await program.port()
    const before = stored.size
    const load = Array.from({ length: 6 }, (_, i) => orderOn(port, `kill-${i}`))
    await until('orders', () => stored.size > before + 200)
    program.child.kill('SIGKILL')
    const answered = (await Promise.all(load)).flatMap((each) => each.answered)
    expect(answered.filter((id) => !stored.has(id))).toEqual([])
    await expectEvents(start())
  }, 60_000)
})

/** One message for each stored order, of this test or an earlier one, and nothing left in the outbox. */
async function expectEvents(program: Program): Promise<void> {
  const events = await program.port().then(() => gauge(program, 'sluice_broker_messages_ready'))
  expect(events).toBeGreaterThan(0)
  await until(
    `${stored.size} events`,
    async () => (await gauge(program, 'sluice_broker_messages_ready')) >= stored.size,
  )
  await until('an empty outbox', async () => {
    const left = ['pending', 'unknown', 'parked'].map((state) => gauge(program, `sluice_outbox_${state}`))
    return (await Promise.all(left)).every((count) => count === 0)
  })
  program.child.kill('SIGTERM')
  expect(await program.exit()).toBe(0)
}
