import { afterAll, expect, test } from 'bun:test'
import { rawUpstream } from '../../../tests/support/raw-upstream.ts'
import { responseTo } from '../../core/receiver.ts'
import { stopBy } from '../../core/stop.ts'
import type { OutgoingRequest } from '../../upstream/transport.ts'
import { systemClock } from './system-clock.ts'
import { createUpstreamTransport } from './upstream-transport.ts'

const upstreamTransport = createUpstreamTransport(systemClock)
afterAll(upstreamTransport.close)

const send = (origin: string, method: string) => {
  const signal = AbortSignal.timeout(10_000)
  const request: OutgoingRequest = {
    url: `${origin}/`,
    origin,
    target: '/',
    method,
    headers: new Headers(),
    body: null,
    signal,
    stop: stopBy(signal),
  }
  return responseTo((receiver) => upstreamTransport.send(request, receiver))
}

const failureOf = (work: Promise<unknown>) =>
  work.then(
    () => undefined,
    (error: unknown) => error,
  )

// Whether Bun sends a method again when a kept connection dies is nowhere written, and changes with its versions.
test.each(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'QUERY', 'PROPFIND'])(
  '%s to an upstream that dies with the request in hand was sent',
  async (method) => {
    const upstream = await rawUpstream(async (_, index) => {
      if (index === 0) return ['HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n']
      void upstream.close()
      return ['reset']
    })
    await (await send(upstream.url, method)).text()
    const error = await failureOf(send(upstream.url, method))
    await upstream.close()
    expect(upstream.requests).toHaveLength(2)
    expect(error).toBeInstanceOf(Error)
    expect(upstreamTransport.explain(error, method).isUnsent).toBe(false)
  },
)

test.each(['POST', 'PUT', 'PATCH', 'DELETE'])('%s to a port where nobody listens was not sent', async (method) => {
  const upstream = await rawUpstream([])
  await upstream.close()
  const error = await failureOf(send(upstream.url, method))
  expect(upstreamTransport.explain(error, method)).toMatchObject({ kind: 'unreachable', isUnsent: true })
})
