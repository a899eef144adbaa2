import type { Plan, UpstreamPlan } from '../config/plan.ts'
import { GatewayError } from '../core/errors.ts'
import type { Call, Exchange } from '../core/exchange.ts'
import { type Middleware, pipeline } from '../core/pipeline.ts'
import { responseTo, tellOutcome } from '../core/receiver.ts'
import type { CallRecord } from '../core/record.ts'
import type { UpstreamHandler, UpstreamReader, UpstreamRequest, UpstreamServices, Upstreams } from '../core/services.ts'
import type { Labels, Metrics } from '../core/telemetry.ts'
import { UpstreamCall } from './call.ts'
import { createForwarder } from './forward.ts'
import type { Transport } from './transport.ts'

/** Folds every upstream's policies around its forwarder, once. */
export function createUpstreams(plan: Plan, transport: Transport, services: UpstreamServices): Upstreams {
  const upstreams = new Map(
    plan.upstreams.map((upstream) => [upstream.name, createUpstream(upstream, transport, services)]),
  )
  const named = (name: string) => {
    const upstream = upstreams.get(name)
    if (!upstream) throw new TypeError(`Unknown upstream ${name}`)
    return upstream
  }
  return {
    get: (name) => named(name).handle,
    reader: (name) => named(name).read,
  }
}

interface Upstream {
  readonly handle: UpstreamHandler
  readonly read: UpstreamReader
}

function createUpstream(plan: UpstreamPlan, transport: Transport, services: UpstreamServices): Upstream {
  const layers = plan.mounts.map(({ policy, options, site }): Middleware<Call> => {
    if (policy.at !== 'upstream') throw new TypeError(`${policy.name} is no upstream policy`)
    return policy.create(options, services, site)
  })
  const [only] = plan.versions
  const version = plan.versions.length === 1 ? only?.name : undefined
  const forwarder = createForwarder(plan, transport, services)
  const attempt = forwarder<Call>()
  // Policies work with a `Response`.
  const layered = pipeline<Call>(layers, (call) => responseTo((receiver) => attempt(call, receiver)))
  const { clock, metrics } = services
  const labels = { upstream: plan.name }
  let waiting = 0

  const begin = (exchange: Exchange, request: UpstreamRequest): UpstreamCall => {
    const call = new UpstreamCall(plan.name, exchange, request, version)
    exchange.record.calls.push(call.record)
    call.startedAtMs = clock.now()
    waiting++
    return call
  }

  /** Notes what became of the call. */
  const end = (call: UpstreamCall): void => {
    waiting--
    call.record.durationMs = clock.now() - call.startedAtMs
    count(call.record, labels, metrics)
  }

  // A stuck upstream must not use up what the others need.
  const isOverloaded = () => waiting >= plan.concurrency
  const overloaded = () => new GatewayError('overloaded', { headers: { 'retry-after': '1' } })

  const guarded: UpstreamHandler = async (exchange, request) => {
    const isTooMuch = isOverloaded()
    const call = begin(exchange, request)
    try {
      if (isTooMuch) throw overloaded()
      return await layered(call)
    } catch (error) {
      if (error instanceof GatewayError) call.record.failure = error.code
      throw error
    } finally {
      end(call)
    }
  }

  const attemptAlone = forwarder(end)

  /** Without policies nothing stands between the caller and the one attempt. */
  const direct: UpstreamReader = (exchange, request, receiver) => {
    const isTooMuch = isOverloaded()
    const call = begin(exchange, request)
    if (isTooMuch) {
      call.record.failure = 'overloaded'
      end(call)
      receiver.failed(overloaded())
    } else attemptAlone(call, receiver)
  }

  return layers.length > 0
    ? { handle: guarded, read: (exchange, request, receiver) => tellOutcome(guarded(exchange, request), receiver) }
    : { handle: (exchange, request) => responseTo((receiver) => direct(exchange, request, receiver)), read: direct }
}

const CLASSES = ['0xx', '1xx', '2xx', '3xx', '4xx', '5xx']

/** `labels` are those of the durations, made once. */
function count(record: CallRecord, labels: Labels, metrics: Metrics): void {
  const { upstream, version = '', failure, status = 0, durationMs = 0 } = record
  const outcome = failure ?? CLASSES[Math.floor(status / 100)] ?? 'unknown'
  metrics.count('sluice_upstream_calls_total', { upstream, version, outcome })
  metrics.observe('sluice_upstream_call_duration_seconds', durationMs / 1_000, labels)
}
