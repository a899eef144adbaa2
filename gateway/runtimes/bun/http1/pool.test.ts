import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { networkInterfaces } from 'node:os'
import { createRawUpstreams, type RawScript, type RawUpstream } from '../../../../tests/support/raw-upstream.ts'
import { until } from '../../../../tests/support/real-time.ts'
import { createVirtualClock, type VirtualClock } from '../../../../tests/support/virtual-clock.ts'
import type { OutgoingRequest } from '../../../upstream/transport.ts'
import { UpstreamConnection } from './connection.ts'
import { ConnectionPools } from './pools.ts'
import { createCall, failureOf } from './test-call.ts'

/** Not every machine has IPv6. */
const LOOPBACK = new Set(networkInterfaces().lo?.map(({ address }) => address) ?? ['127.0.0.1'])

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'
const withFields = (fields: string) => `HTTP/1.1 200 OK\r\n${fields}\r\nContent-Length: 2\r\n\r\nok`

let clock: VirtualClock
let pools: ConnectionPools
const upstreams = createRawUpstreams()

beforeEach(() => {
  clock = createVirtualClock()
  pools = new ConnectionPools(clock)
})
afterEach(async () => {
  pools.close()
  await upstreams.close()
})

function send({ url }: { readonly url: string }, request: Partial<OutgoingRequest> = {}): Promise<Response> {
  const { call, reply } = createCall(request)
  pools.to(url).send(call)
  return reply
}

const textOf = async (reply: Promise<Response>) => await (await reply).text()
const connectionsOf = ({ requests }: RawUpstream) => requests.map(({ connection }) => connection)

describe('a connection', () => {
  test('carries one call after the other', async () => {
    const upstream = await upstreams.open([OK])
    for (let i = 0; i < 5; i++) expect(await textOf(send(upstream))).toBe('ok')
    expect(connectionsOf(upstream)).toEqual([0, 0, 0, 0, 0])
  })

  test('carries one call at a time', async () => {
    const upstream = await upstreams.open([{ waitMs: 20 }, OK])
    await Promise.all([textOf(send(upstream)), textOf(send(upstream)), textOf(send(upstream))])
    expect(connectionsOf(upstream).sort()).toEqual([0, 1, 2])
  })

  test('is closed in good order when nobody has used it for 4 s', async () => {
    const upstream = await upstreams.open([OK])
    await textOf(send(upstream))
    await clock.advance(3_999)
    await textOf(send(upstream))
    await clock.advance(3_000)
    expect(upstream.open()).toBe(1)
    await clock.advance(1_001)
    await until('it is closed', () => upstream.open() === 0)
    expect(connectionsOf(upstream)).toEqual([0, 0])
  })

  test('is not used after its time, though it is not swept yet', async () => {
    const upstream = await upstreams.open([OK])
    await clock.advance(500)
    await textOf(send(upstream))
    await clock.advance(4_000)
    await textOf(send(upstream))
    expect(connectionsOf(upstream)).toEqual([0, 1])
  })

  for (const { fields, keptMs } of [
    { fields: 'Keep-Alive: timeout=3', keptMs: 2_000 },
    { fields: 'Keep-Alive: timeout=2, max=100', keptMs: 1_000 },
    { fields: 'Keep-Alive: timeout=60', keptMs: 4_000 },
  ]) {
    test(`is used for ${keptMs} ms after ${fields}`, async () => {
      const upstream = await upstreams.open([withFields(fields)])
      await textOf(send(upstream))
      await clock.advance(keptMs - 1)
      await textOf(send(upstream))
      await clock.advance(keptMs)
      await textOf(send(upstream))
      expect(connectionsOf(upstream)).toEqual([0, 0, 1])
    })
  }

  for (const fields of ['Connection: close', 'Keep-Alive: timeout=1', 'Keep-Alive: timeout=0']) {
    test(`is closed at once after ${fields}`, async () => {
      const upstream = await upstreams.open([withFields(fields)])
      await textOf(send(upstream))
      await until('it is closed', () => upstream.open() === 0)
      await textOf(send(upstream))
      expect(connectionsOf(upstream)).toEqual([0, 1])
    })
  }

  test('is used for five minutes at most, so that a name is looked up again', async () => {
    const upstream = await upstreams.open([OK])
    for (let seconds = 0; seconds <= 306; seconds += 3) {
      await textOf(send(upstream))
      await clock.advance(3_000)
    }
    const connections = connectionsOf(upstream)
    expect(connections.indexOf(1) * 3).toBe(306)
  })

  test('that the upstream closes is forgotten', async () => {
    const upstream = await upstreams.open((_, index) => (index === 0 ? [OK, 'close'] : [OK]))
    await textOf(send(upstream))
    await until('it is closed', () => upstream.open() === 0)
    await textOf(send(upstream, { method: 'POST' }))
    expect(connectionsOf(upstream)).toEqual([0, 1])
  })
})

describe('connections', () => {
  test('are as many as there are calls at once, over many rounds, and go when they are not needed', async () => {
    const upstream = await upstreams.open([OK])
    for (let round = 0; round < 10; round++) {
      const replies = await Promise.all(Array.from({ length: 200 }, () => textOf(send(upstream))))
      expect(replies).toEqual(Array.from({ length: 200 }, () => 'ok'))
    }
    expect(upstream.requests).toHaveLength(2_000)
    expect(upstream.received.length).toBeLessThanOrEqual(200)
    await clock.advance(5_000)
    await until('all are closed', () => upstream.open() === 0)
  })

  test('that were not needed last are closed though others are in use', async () => {
    const upstream = await upstreams.open([OK])
    await Promise.all(Array.from({ length: 10 }, () => textOf(send(upstream))))
    for (let i = 0; i < 3; i++) {
      await clock.advance(2_000)
      await textOf(send(upstream))
    }
    await until('one is left', () => upstream.open() === 1)
  })

  test('stop being watched when none is left', async () => {
    let appointments = 0
    const after = (ms: number, task: () => void) => {
      appointments++
      return clock.after(ms, task)
    }
    pools = new ConnectionPools({ ...clock, after })
    const upstream = await upstreams.open([OK])
    await textOf(send(upstream))
    await clock.advance(5_000)
    await until('it is closed', () => upstream.open() === 0)
    await clock.advance(5_000)
    const before = appointments
    await clock.advance(60_000)
    expect(appointments).toBe(before)
    expect(await textOf(send(upstream))).toBe('ok')
    expect(appointments).toBe(before + 1)
  })

  test('are all closed at the end, and calls under way fail', async () => {
    const upstream = await upstreams.open((_, index) => (index === 0 ? [OK] : ['hang']))
    await textOf(send(upstream))
    const idle = textOf(send(upstream))
    const hanging = [send(upstream), idle]
    await until('they are there', () => upstream.requests.length === 3)
    pools.close()
    for (const call of hanging)
      expect(await failureOf(call)).toMatchObject({ code: 'the gateway stops', isUnsent: false })
    await until('all are closed', () => upstream.open() === 0)
    expect(() => pools.to(upstream.url)).toThrow('the gateway stops')
  })

  test('that are still opening at the end are closed then', async () => {
    const upstream = await upstreams.open([OK])
    const call = send(upstream)
    pools.close()
    expect(await failureOf(call)).toMatchObject({ code: 'the gateway stops', isUnsent: true })
    await until('it was opened', () => upstream.received.length === 1)
    await until('it is closed', () => upstream.open() === 0)
    expect(upstream.requests).toEqual([])
  })
})

describe('a call that is given up', () => {
  test('before it is connected leaves the connection to the next', async () => {
    const upstream = await upstreams.open([OK])
    const abort = new AbortController()
    const call = send(upstream, { signal: abort.signal })
    abort.abort(new Error('gone'))
    expect(await failureOf(call)).toMatchObject({ message: 'gone' })
    expect(await textOf(send(upstream))).toBe('ok')
    expect(upstream.requests).toHaveLength(1)
  })

  test('while it waits for the reply closes its connection, and no other call sees what came', async () => {
    const upstream = await upstreams.open((_, index) => (index === 0 ? ['hang'] : [OK]))
    const abort = new AbortController()
    const call = send(upstream, { signal: abort.signal })
    await until('it is sent', () => upstream.requests.length === 1)
    abort.abort(new Error('gone'))
    expect(await failureOf(call)).toMatchObject({ message: 'gone' })
    await until('it is closed', () => upstream.open() === 0)
    expect(await textOf(send(upstream))).toBe('ok')
    expect(connectionsOf(upstream)).toEqual([0, 1])
  })

  test('while its body comes breaks the body', async () => {
    const upstream = await upstreams.open(['HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab', 'hang'])
    const abort = new AbortController()
    const reply = await send(upstream, { signal: abort.signal })
    abort.abort(new Error('gone'))
    expect(await failureOf(reply.text())).toMatchObject({ message: 'gone' })
    await until('it is closed', () => upstream.open() === 0)
  })

  test('after its reply touches nothing', async () => {
    const upstream = await upstreams.open([OK])
    const abort = new AbortController()
    const reply = await send(upstream, { signal: abort.signal })
    abort.abort(new Error('gone'))
    expect(await reply.text()).toBe('ok')
    expect(await textOf(send(upstream))).toBe('ok')
    expect(connectionsOf(upstream)).toEqual([0, 0])
  })
})

describe('a kept connection that was closed when the request went out', () => {
  const dying: RawScript = ({ connection }, index) => (connection === 0 && index > 0 ? ['reset'] : [OK])

  test('has a GET sent again, on a new one', async () => {
    const upstream = await upstreams.open(dying)
    await textOf(send(upstream))
    expect(await textOf(send(upstream))).toBe('ok')
    expect(connectionsOf(upstream)).toEqual([0, 0, 1])
  })

  test('has a GET sent again once', async () => {
    const upstream = await upstreams.open((_, index) => (index === 0 ? [OK] : ['reset']))
    await textOf(send(upstream))
    expect(await failureOf(send(upstream))).toMatchObject({ code: 'ECONNRESET', isUnsent: false })
    expect(connectionsOf(upstream)).toEqual([0, 0, 1])
  })

  test('has a GET sent again on no other kept one, which may be dead too', async () => {
    const upstream = await upstreams.open([OK])
    const pool = pools.to(upstream.url)
    const { call: first, reply } = createCall()
    let line: unknown
    const putOn = first.putOn.bind(first)
    first.putOn = (on, stopUpload) => {
      line = on
      putOn(on, stopUpload)
    }
    pool.send(first)
    await textOf(reply)
    const { call, reply: again } = createCall()
    call.putOn({ pause() {}, resume() {}, drop() {} })
    pool.repeat(call)
    if (!(line instanceof UpstreamConnection)) throw new TypeError('The first call was on no connection')
    pool.keep(line, undefined)
    expect(await textOf(again)).toBe('ok')
    expect(connectionsOf(upstream)).toEqual([0, 1])
  })

  test('has no POST sent again', async () => {
    const upstream = await upstreams.open(dying)
    await textOf(send(upstream))
    expect(await failureOf(send(upstream, { method: 'POST' }))).toMatchObject({ code: 'ECONNRESET', isUnsent: false })
    expect(connectionsOf(upstream)).toEqual([0, 0])
  })
})

describe('an address', () => {
  const addresses = [
    ['127.0.0.1', 'localhost'],
    ['::1', 'localhost'],
    ['::1', '[::1]'],
  ] as const
  for (const [host, name] of addresses.filter(([address]) => LOOPBACK.has(address))) {
    test(`${name} reaches who listens on ${host}`, async () => {
      const server = Bun.serve({
        hostname: host,
        port: 0,
        fetch: (request) => new Response(request.headers.get('host')),
      })
      expect(await textOf(send({ url: `http://${name}:${server.port}` }))).toBe(`${name}:${server.port}`)
      await server.stop(true)
    })
  }

  test('where nobody listens fails every call, unsent', async () => {
    const upstream = await upstreams.open([])
    await upstream.close()
    const failures = await Promise.all([1, 2, 3].map(() => failureOf(send(upstream, { method: 'POST' }))))
    for (const failure of failures) expect(failure).toMatchObject({ code: 'ECONNREFUSED', isUnsent: true })
  })

  test('where somebody listens again by now is reached, though an attempt before fails', async () => {
    const gone = await upstreams.open([])
    await gone.close()
    const abort = new AbortController()
    const early = send(gone, { signal: abort.signal })
    abort.abort(new Error('gone'))
    const server = Bun.serve({ hostname: '127.0.0.1', port: gone.port, fetch: () => new Response('back') })
    expect(await textOf(send(gone))).toBe('back')
    expect(await failureOf(early)).toMatchObject({ message: 'gone' })
    await server.stop(true)
  })

  test('that is no name fails the call, unsent', async () => {
    const failure = await failureOf(send({ url: 'http://no-such-host.invalid' }))
    expect(failure).toMatchObject({ code: 'ENOTFOUND', isUnsent: true })
  })
})
