import type { UpstreamPlan } from '../config/plan.ts'
import type { CallBody } from '../core/body.ts'
import { ClientGone, GatewayError } from '../core/errors.ts'
import type { Call } from '../core/exchange.ts'
import type { Reply } from '../core/read-reply.ts'
import type { UpstreamServices } from '../core/services.ts'
import type { StopSource } from '../core/stop-source.ts'
import { type Balancer, createBalancer, occupy, type Target, vacate } from './balance.ts'
import { UpstreamCall } from './call.ts'
import { cleanReply } from './reply.ts'
import type { OutgoingRequest, Transport } from './transport.ts'
import { openTunnel } from './websocket.ts'

/** Makes one attempt, and tells `ended` when it is over. */
export type Forward = <One extends Call>(call: One, ended?: (call: One) => void) => Promise<Reply>

/** The innermost handler of an upstream: chooses a target and makes one attempt. Failures are `GatewayError`s. */
export function createForwarder(
  plan: UpstreamPlan,
  transport: Transport,
  { clock, random }: UpstreamServices,
): Forward {
  const balancers = new Map(
    plan.versions.map((version) => [version.name, createBalancer(plan.balance, version, random)]),
  )
  const [first] = balancers.values()
  if (!first) throw new TypeError(`Upstream ${plan.name} has no version`)

  return async (call, ended) => {
    const choose: Balancer = balancers.get(call.version) ?? first
    const target = choose(call)
    call.record.attempts++
    delete call.record.failure
    delete call.record.cause
    call.record.target = target.origin
    const startedAt = occupy(target, clock)
    try {
      throwIfStopped(call)
      if (plan.preserveHost) call.headers.set('host', call.exchange.request.headers.get('host') ?? '')
      if (call.websocket) return await openTunnel(call, target.base, transport)
      return cleanReply(await transport.send(new Attempt(call, target)), call)
    } catch (error) {
      throw blame(error, call, transport)
    } finally {
      vacate(target, startedAt, clock)
      ended?.(call)
    }
  }
}

/** A call on its way to one target. Its fields are put together by whoever needs them, in the form it needs. */
class Attempt implements OutgoingRequest {
  readonly origin: string
  readonly target: string
  readonly method: string
  readonly body: CallBody
  readonly #call: Call

  constructor(call: Call, { origin, basePath }: Target) {
    this.origin = origin
    this.target = basePath + call.path
    this.method = call.method
    this.body = call.body
    this.#call = call
  }

  get signal(): AbortSignal {
    return this.#call.signal
  }

  get stop(): StopSource | undefined {
    return stopOf(this.#call)
  }

  get url(): string {
    return this.origin + this.target
  }

  get headers(): Headers {
    return this.#call.headers
  }

  get fieldLines(): string | undefined {
    return this.#call instanceof UpstreamCall ? this.#call.fieldLines : undefined
  }
}

function stopOf(call: Call): StopSource | undefined {
  return call instanceof UpstreamCall ? call.stop : undefined
}

function throwIfStopped(call: Call): void {
  const stop = stopOf(call)
  if (!stop) call.signal.throwIfAborted()
  else if (stop.reason !== undefined) throw stop.reason
}

const CODES = {
  unreachable: 'upstream-unreachable',
  'invalid-response': 'upstream-invalid-response',
  'websocket-refused': 'websocket-refused',
} as const

/** Whose fault it is: the client's (it left, it sent too much), the deadline's, or the upstream's. */
function blame(error: unknown, call: Call, transport: Transport): unknown {
  if (call.exchange.body.failure) return call.exchange.body.failure
  const stop = stopOf(call)
  if (stop ? stop.reason !== undefined : call.signal.aborted) return noted(stop?.reason ?? call.signal.reason, call)
  if (error instanceof GatewayError) return noted(error, call)
  const { kind, cause, isUnsent } = transport.explain(error, call.method)
  call.record.cause = cause
  if (isUnsent) call.record.unsent = (call.record.unsent ?? 0) + 1
  return noted(new GatewayError(CODES[kind], { cause: error }), call)
}

function noted(error: unknown, call: Call): unknown {
  call.record.failure =
    error instanceof GatewayError ? error.code : error instanceof ClientGone ? 'client-gone' : 'aborted'
  return error
}
