import { describe, expect, test } from 'bun:test'
import { z } from 'zod'
import { createTestGateway } from '../../tests/support/gateway.ts'
import { GatewayError } from '../core/errors.ts'
import type { Call, Exchange } from '../core/exchange.ts'
import type { Next } from '../core/pipeline.ts'
import { definePolicy } from '../core/policy.ts'
import { Stop } from '../core/stop.ts'
import type { Transport } from './transport.ts'

/** What users do with the signal or the stop of a call. */
const OWN: Readonly<Record<string, (call: Call, next: Next<Call>) => Promise<Response>>> = {
  joined: ({ signal }, next) => next({ signal: AbortSignal.any([signal, new AbortController().signal]) }),
  linked({ signal }, next) {
    const own = new AbortController()
    if (signal.aborted) own.abort(signal.reason)
    else signal.addEventListener('abort', () => own.abort(signal.reason))
    return next({ signal: own.signal })
  },
  stopped({ stop }, next) {
    const own = new Stop()
    if (stop.reason !== undefined) own.abort(stop.reason)
    else stop.listen({ stopped: (reason) => own.abort(reason) })
    return next({ stop: own })
  },
  copied: (call, next) => next({ ...call, signal: AbortSignal.any([call.signal]) }),
  asked: (call, next) => next(call.signal.aborted ? undefined : {}),
}

const ofCalls = Object.entries(OWN).map(([name, middleware]) =>
  definePolicy({ name, at: 'upstream', options: z.strictObject({}), create: () => middleware }),
)
/** Two that end what is below by a signal of their own, which the test aborts. */
function givingUp() {
  const [ofCall, ofExchange] = [new AbortController(), new AbortController()]
  const options = z.strictObject({})
  const register = [
    ...ofCalls,
    definePolicy({
      name: 'gives-up',
      at: 'upstream',
      options,
      create:
        () =>
        ({ signal }, next) =>
          next({ signal: AbortSignal.any([signal, ofCall.signal]) }),
    }),
    definePolicy({
      name: 'gives-up-all',
      at: 'route',
      options,
      create:
        () =>
        ({ signal }: Exchange, next) =>
          next({ signal: AbortSignal.any([signal, ofExchange.signal]) }),
    }),
  ]
  return { ofCall, ofExchange, register }
}

type Network = (ended: unknown[], started: unknown[]) => Transport['send']

/** A network where nobody answers, and that is told by the one or the other. */
const NETWORKS: Readonly<Record<string, Network>> = {
  stop:
    (ended, started) =>
    ({ stop }, receiver) => {
      started.push(stop)
      stop.listen({
        stopped(reason) {
          ended.push(reason)
          receiver.failed(reason)
        },
      })
    },
  signal:
    (ended, started) =>
    ({ signal }, receiver) => {
      started.push(signal)
      signal.addEventListener('abort', () => {
        ended.push(signal.reason)
        receiver.failed(signal.reason)
      })
    },
}

const BETWEEN = { timeout: '30s' }
const names = Object.keys(OWN)
const stacks = names.flatMap((outer) => [
  [outer],
  ...names.flatMap((inner) => [
    [outer, inner],
    [outer, 'retry', BETWEEN, 'circuit-breaker', inner],
  ]),
])

async function openWith(network: Network, policies: readonly unknown[]) {
  const ended: unknown[] = []
  const started: unknown[] = []
  const { register, ofCall, ofExchange } = givingUp()
  const gateway = await createTestGateway({
    register,
    upstreamPolicies: policies,
    upstreamSettings: { concurrency: 1 },
    policies: ['gives-up-all'],
    send: network(ended, started),
  })
  const client = new AbortController()
  const answer = gateway.fetch('/x/1', {}, { ip: '192.0.2.1', gone: client.signal })
  await gateway.clock.advance(0)
  return { gateway, client, answer, ended, started, ofCall, ofExchange }
}

describe.each(Object.keys(NETWORKS).map((name) => ({ name })))('a call that is ended by its $name', ({ name }) => {
  const network = NETWORKS[name]
  if (!network) throw new TypeError(name)

  test.each(stacks.map((stack) => ({ stack, title: stack.map((each) => JSON.stringify(each)).join(' ') })))(
    'ends with the client or the deadline, whatever $title make of that',
    async ({ stack }) => {
      for (const [status, failure] of [
        [499, 'client-gone'],
        [504, 'upstream-timeout'],
      ]) {
        const { gateway, client, answer, ended, started } = await openWith(network, stack)
        expect([started.length, ended.length]).toEqual([1, 0])
        if (status === 499) client.abort()
        else await gateway.clock.advance(10_000)
        expect((await answer).status).toBe(Number(status))
        expect(ended).toHaveLength(1)
        expect(gateway.records[0]).toMatchObject({ calls: [{ attempts: 1, failure, durationMs: expect.any(Number) }] })
        // Its place is free.
        const next = gateway.fetch('/x/2')
        await gateway.clock.advance(10_000)
        expect([(await next).status, started.length, ended.length]).toEqual([504, 2, 2])
      }
    },
  )

  test.each(names)(
    'ends with what a policy gives up by a signal of its own, above or below one that is %s',
    async (own) => {
      for (const stack of [
        ['gives-up', own],
        [own, BETWEEN, 'gives-up', BETWEEN],
      ]) {
        for (const by of ['ofCall', 'ofExchange'] as const) {
          const { gateway, answer, ended, ...controllers } = await openWith(network, stack)
          const enough = new GatewayError('overloaded')
          controllers[by].abort(enough)
          expect((await answer).status).toBe(503)
          expect(ended).toEqual([enough])
          expect(gateway.records[0]).toMatchObject({ calls: [{ attempts: 1, failure: 'overloaded' }] })
        }
      }
    },
  )
})
