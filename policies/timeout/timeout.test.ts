import { describe, expect, test } from 'bun:test'
import { z } from 'zod'
import { ClientGone } from '../../gateway/core/errors.ts'
import { definePolicy } from '../../gateway/core/policy.ts'
import { ReadReply } from '../../gateway/core/read-reply.ts'
import type { StopListener, StopSource } from '../../gateway/core/stop.ts'
import { createTestGateway } from '../../tests/support/gateway.ts'
import timeout from './index.ts'

const hang = () => new Promise<Response>(() => {})

/** A layer below that neither passes the signal on nor looks at it. */
const deaf = definePolicy({
  name: 'deaf',
  at: 'upstream',
  options: z.strictObject({}),
  create: () => (_call, next) => next({ signal: new AbortController().signal }),
})

const gatewayWith = (
  upstream: (request: Request) => Response | Promise<Response>,
  options: unknown = '800ms',
  ...inner: unknown[]
) => createTestGateway({ register: [timeout, deaf], upstreamPolicies: [{ timeout: options }, ...inner], upstream })

function watch<T>(work: Promise<T>) {
  const watched = { work, settled: false }
  const settle = () => {
    watched.settled = true
  }
  work.then(settle, settle)
  return watched
}

describe('timeout', () => {
  test.each([
    { name: 'as a bare duration', options: '800ms' },
    { name: 'as a mapping', options: { after: '800ms' } },
  ])('answers 504 once the time is up, $name', async ({ options }) => {
    const gateway = await gatewayWith(hang, options)
    const { work, ...watched } = watch(gateway.fetch('/x/1'))
    await gateway.clock.advance(799)
    expect(watched.settled).toBe(false)
    await gateway.clock.advance(1)
    const response = await work
    expect(response.status).toBe(504)
    expect(await response.json()).toMatchObject({ type: 'urn:sluice:problem:upstream-timeout' })
  })

  test('answers 408 when it is the client who does not send', async () => {
    const gateway = await gatewayWith(async (request) => new Response(await request.text()))
    const body = new ReadableStream<Uint8Array>({ start: (controller) => controller.enqueue(new Uint8Array(3)) })
    const answer = gateway.fetch('/x/1', { method: 'POST', body, duplex: 'half' } as RequestInit)
    await gateway.clock.advance(800)
    const response = await answer
    expect(response.status).toBe(408)
    expect(await response.json()).toMatchObject({ type: 'urn:sluice:problem:request-timeout' })
  })

  test('aborts the call it gave up', async () => {
    const gateway = await gatewayWith(hang)
    const answer = gateway.fetch('/x/1')
    await gateway.clock.advance(799)
    const [request] = gateway.upstreamRequests
    expect(request?.signal.aborted).toBe(false)
    await gateway.clock.advance(1)
    await answer
    expect(request?.signal.aborted).toBe(true)
  })

  test('does not bound the body once the head is there', async () => {
    const sender: { push?: (text: string) => void; end?: () => void } = {}
    const gateway = await gatewayWith(() => {
      const body = new ReadableStream<Uint8Array>({
        start(controller) {
          sender.push = (text) => controller.enqueue(new TextEncoder().encode(text))
          sender.end = () => controller.close()
        },
      })
      return new Response(body)
    })
    const response = await gateway.fetch('/x/1')
    sender.push?.('slow ')
    await gateway.clock.advance(5_000)
    expect(gateway.upstreamRequests[0]?.signal.aborted).toBe(false)
    sender.push?.('but whole')
    sender.end?.()
    expect(await response.text()).toBe('slow but whole')
  })

  test('keeps the body tied to the client', async () => {
    const client = new AbortController()
    const gateway = await gatewayWith(() => new Response(new ReadableStream()))
    await gateway.fetch('/x/1', {}, { ip: '192.0.2.1', gone: client.signal })
    expect(gateway.upstreamRequests[0]?.signal.aborted).toBe(false)
    client.abort()
    expect(gateway.upstreamRequests[0]?.signal.aborted).toBe(true)
  })

  test('listens for the sake of a body that is to come, and no longer than that', async () => {
    const listeners = new Set<StopListener>()
    const counting = definePolicy({
      name: 'counting',
      at: 'upstream',
      options: z.strictObject({}),
      create:
        () =>
        ({ signal }, next) => {
          const stop: StopSource = {
            reason: undefined,
            signal,
            listen: (listener) => listeners.add(listener),
            unlisten: (listener) => listeners.delete(listener),
          }
          return next({ stop })
        },
    })
    const headers = new Headers({ 'content-type': 'text/plain' })
    const fields = Object.assign(headers, { toHeaders: () => headers })
    const content = new TextEncoder().encode('whole')
    const whole = () => new ReadReply({ status: 200, reason: 'OK', fields }, content).toResponse()
    const answers = [
      () => new Response(new ReadableStream()),
      whole,
      () => {
        throw new TypeError('connection refused')
      },
    ]
    for (const [at, heard] of [1, 0, 0].entries()) {
      listeners.clear()
      const gateway = await createTestGateway({
        register: [timeout, counting],
        upstreamPolicies: ['counting', { timeout: '800ms' }],
        upstream: () => answers[at]?.() ?? hang(),
      })
      await gateway.fetch('/x/1')
      expect(listeners.size).toBe(heard)
    }
  })

  test('does not wait for a layer below that ignores the signal', async () => {
    const gateway = await gatewayWith(hang, '800ms', 'deaf')
    const answer = gateway.fetch('/x/1')
    await gateway.clock.advance(800)
    expect((await answer).status).toBe(504)
  })

  test('discards an answer that comes too late', async () => {
    let cancelled = false
    let respond = (_: Response) => {}
    const late = new Promise<Response>((resolve) => {
      respond = resolve
    })
    const gateway = await gatewayWith(() => late, '800ms', 'deaf')
    const answer = gateway.fetch('/x/1')
    await gateway.clock.advance(800)
    await answer
    respond(
      new Response(
        new ReadableStream({
          cancel() {
            cancelled = true
          },
        }),
      ),
    )
    await gateway.clock.advance(0)
    expect(cancelled).toBe(true)
  })

  test('passes on what the upstream answers and what it throws in time', async () => {
    const fine = await gatewayWith(() => new Response('made', { status: 201 }))
    expect((await fine.fetch('/x/1')).status).toBe(201)
    const broken = await gatewayWith(() => {
      throw new TypeError('connection refused')
    })
    expect((await broken.fetch('/x/1')).status).toBe(502)
  })

  test('gives up at once when the client leaves, and blames nobody', async () => {
    const client = new AbortController()
    const seen: unknown[] = []
    const witness = definePolicy({
      name: 'witness',
      at: 'upstream',
      options: z.strictObject({}),
      create: () => (_call, next) =>
        next().catch((error: unknown) => {
          seen.push(error)
          throw error
        }),
    })
    const gateway = await createTestGateway({
      register: [timeout, deaf, witness],
      upstreamPolicies: ['witness', { timeout: '800ms' }, 'deaf'],
      upstream: hang,
    })
    const answer = gateway.fetch('/x/1', {}, { ip: '192.0.2.1', gone: client.signal })
    await gateway.clock.advance(100)
    client.abort()
    await answer
    await gateway.clock.advance(0)
    expect(seen).toEqual([expect.any(ClientGone)])
  })

  test.each([
    { name: 'a number without a unit', options: 800, message: 'expected a duration such as "800ms"' },
    { name: 'text without a unit', options: '800', message: 'expected a duration with its unit' },
    { name: 'zero', options: '0ms', message: 'greater than zero' },
    { name: 'a misspelt key', options: { afer: '1s' }, message: 'afer' },
  ])('refuses $name at load', async ({ options, message }) => {
    const loading = gatewayWith(hang, options)
    expect(String(await loading.catch((error: unknown) => error))).toContain(message)
  })
})
