import type { Plan, UpstreamPlan } from '../config/plan.ts'
import { GatewayError } from '../core/errors.ts'
import type { Call } from '../core/exchange.ts'
import { type Middleware, pipeline } from '../core/pipeline.ts'
import type { CallRecord } from '../core/record.ts'
import type { UpstreamHandler, UpstreamServices, Upstreams } from '../core/services.ts'
import type { Metrics } from '../core/telemetry.ts'
import { UpstreamCall } from './call.ts'
import { createForwarder } from './forward.ts'
import type { Transport } from './transport.ts'

/** Folds every upstream's policies around its forwarder, once. */
export function createUpstreams(plan: Plan, transport: Transport, services: UpstreamServices): Upstreams {
  const handlers = new Map(
    plan.upstreams.map((upstream) => [upstream.name, createUpstream(upstream, transport, services)]),
  )
  return {
    get(name) {
      const handler = handlers.get(name)
      if (!handler) throw new TypeError(`Unknown upstream ${name}`)
      return handler
    },
  }
}

function createUpstream(plan: UpstreamPlan, transport: Transport, services: UpstreamServices): UpstreamHandler {
  const layers = plan.mounts.map(({ policy, options, site }): Middleware<Call> => {
    if (policy.at !== 'upstream') throw new TypeError(`${policy.name} is no upstream policy`)
    return policy.create(options, services, site)
  })
  const [only] = plan.versions
  const version = plan.versions.length === 1 ? only?.name : undefined
  const handle = pipeline(layers, createForwarder(plan, transport, services))
  const { clock, metrics } = services
  let waiting = 0

  return async (exchange, request) => {
    const call = new UpstreamCall(plan.name, exchange, request, version)
    const { record } = call
    exchange.record.calls.push(record)
    const startedAt = clock.now()
    // A stuck upstream must not use up what the others need.
    const isOverloaded = waiting >= plan.concurrency
    waiting++
    try {
      if (isOverloaded) throw new GatewayError('overloaded', { headers: { 'retry-after': '1' } })
      return await handle(call)
    } catch (error) {
      if (error instanceof GatewayError) record.failure = error.code
      throw error
    } finally {
      waiting--
      record.durationMs = clock.now() - startedAt
      count(record, metrics)
    }
  }
}

const CLASSES = ['0xx', '1xx', '2xx', '3xx', '4xx', '5xx']

function count(record: CallRecord, metrics: Metrics): void {
  const { upstream, version = '', failure, status = 0, durationMs = 0 } = record
  const outcome = failure ?? CLASSES[Math.floor(status / 100)] ?? 'unknown'
  metrics.count('sluice_upstream_calls_total', { upstream, version, outcome })
  metrics.observe('sluice_upstream_call_duration_seconds', durationMs / 1_000, { upstream })
}
