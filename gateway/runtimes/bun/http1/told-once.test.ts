import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import {
  createRawUpstreams,
  type RawScript,
  type RawUpstream,
  rawUpstream,
} from '../../../../tests/support/raw-upstream.ts'
import { until } from '../../../../tests/support/real-time.ts'
import { createVirtualClock } from '../../../../tests/support/virtual-clock.ts'
import { bodyOf, type Reply } from '../../../core/read-reply.ts'
import type { Receiver } from '../../../core/receiver.ts'
import { Stop, type StopListener, type StopSource } from '../../../core/stop.ts'
import { createUpstreamTransport, type UpstreamTransport } from '../upstream-transport.ts'

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'

let transport: UpstreamTransport
const upstreams = createRawUpstreams()

beforeEach(() => {
  transport = createUpstreamTransport(createVirtualClock())
})
afterEach(async () => {
  transport.close()
  await upstreams.close()
})

/** A stop that knows who listens. */
class Watched implements StopSource {
  readonly heard = new Set<StopListener>()
  readonly #stop = new Stop()

  get reason() {
    return this.#stop.reason
  }

  get signal() {
    return this.#stop.signal
  }

  listen(listener: StopListener): void {
    this.heard.add(listener)
    this.#stop.listen(listener)
  }

  unlisten(listener: StopListener): void {
    this.heard.delete(listener)
    this.#stop.unlisten(listener)
  }

  abort(reason: unknown): void {
    this.#stop.abort(reason)
  }
}

/** Sends a GET; what its receiver is told stands in `told`. `then` runs inside of that, as what is asked because of it does. */
function ask({ url: origin }: { readonly url: string }, then = () => {}) {
  const stop = new Watched()
  const told: (Reply | Error)[] = []
  const tell = (what: Reply | Error) => {
    told.push(what)
    then()
  }
  const receiver: Receiver = { replied: tell, failed: (error) => tell(error as Error) }
  const headers = new Headers()
  const { signal } = stop
  const request = { url: `${origin}/`, origin, target: '/', method: 'GET', headers, body: null, signal, stop }
  try {
    transport.send(request, receiver)
  } catch (error) {
    receiver.failed(error)
  }
  return { stop, told }
}

type Asked = ReturnType<typeof ask>

describe('whoever waits for a reply', () => {
  const late = new Error('late')
  const steps: readonly {
    readonly name: string
    readonly script: RawScript
    readonly isThere: (upstream: RawUpstream, asked: Asked) => boolean
    readonly reply?: string
    /** The next call may have its connection. */
    readonly isKept?: boolean
  }[] = [
    { name: 'before it is connected', script: [OK], isThere: () => true, isKept: true },
    { name: 'when it has been sent', script: ['hang'], isThere: ({ requests }) => requests.length === 1 },
    {
      name: 'when its head is there',
      script: [OK.slice(0, -1), 'hang'],
      isThere: (_, { told }) => told.length === 1,
      reply: 'broken',
    },
    {
      name: 'when its reply is whole',
      script: [OK],
      isThere: (_, { told }) => told.length === 1,
      reply: 'ok',
      isKept: true,
    },
  ]
  for (const { name, script, isThere, reply, isKept } of steps) {
    test(`is told once, though the call is given up ${name}, and listens no longer`, async () => {
      const upstream = await upstreams.open(script)
      const asked = ask(upstream)
      await until(name, () => isThere(upstream, asked))
      asked.stop.abort(late)
      if (!isKept) await until('its connection is closed', () => upstream.open() === 0)
      transport.close()
      const [first] = asked.told
      if (reply === undefined) expect(first).toBe(late)
      else if (first instanceof Error || !first) throw new TypeError('a reply')
      else expect(await new Response(bodyOf(first)).text().catch(() => 'broken')).toBe(reply)
      expect([asked.told.length, asked.stop.heard.size]).toEqual([1, 0])
    })
  }

  test('may ask at once, on the connection that brought the answer', async () => {
    const upstream = await upstreams.open([OK])
    const asked: Asked[] = []
    const next = () => {
      if (asked.length < 50) asked.push(ask(upstream, next))
    }
    next()
    await until('all are answered', () => asked.filter(({ told }) => told.length === 1).length === 50)
    expect(new Set(upstream.requests.map(({ connection }) => connection))).toEqual(new Set([0]))
    expect(asked.map(({ stop }) => stop.heard.size)).toEqual(asked.map(() => 0))
  })

  test('may ask at once, when nobody listened there or the gateway stops', async () => {
    const nobody = await rawUpstream([OK])
    await nobody.close()
    const silent = await upstreams.open(['hang'])
    const asked = Array.from({ length: 100 }, () => {
      const again: Asked[] = []
      const first = ask(nobody, () => again.push(ask(silent, () => again.push(ask(silent)))))
      return { first, again }
    })
    await until('all ask again', () => asked.every(({ again }) => again.length === 1))
    transport.close()
    for (const { first, again } of asked) {
      for (const { told, stop } of [first, ...again]) expect([told.length, stop.heard.size]).toEqual([1, 0])
      expect(again).toHaveLength(2)
    }
    await until('nothing is open', () => silent.open() === 0)
  })
})
