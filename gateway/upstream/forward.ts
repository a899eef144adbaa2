import type { UpstreamPlan } from '../config/plan.ts'
import type { CallBody } from '../core/body.ts'
import type { Clock } from '../core/clock.ts'
import { ClientGone, GatewayError } from '../core/errors.ts'
import type { Call } from '../core/exchange.ts'
import type { Reply } from '../core/read-reply.ts'
import type { Receiver } from '../core/receiver.ts'
import type { CallRecord } from '../core/record.ts'
import type { UpstreamServices } from '../core/services.ts'
import type { StopSource } from '../core/stop.ts'
import { type Balancer, createBalancer, occupy, type Target, vacate } from './balance.ts'
import { UpstreamCall } from './call.ts'
import { cleanReply } from './reply.ts'
import type { OutgoingRequest, Transport } from './transport.ts'
import { openTunnel } from './websocket.ts'

/** Makes one attempt and tells the caller what came of it. */
export type Forward<One extends Call> = (call: One, caller: Receiver) => void

/** Gives the innermost handler of an upstream; `ended` is told that an attempt is over, before the caller is told. */
export type Forwarder = <One extends Call>(ended?: (call: One) => void) => Forward<One>

/** Chooses a target and makes one attempt. Failures are `GatewayError`s. */
export function createForwarder(
  plan: UpstreamPlan,
  transport: Transport,
  { clock, random }: UpstreamServices,
): Forwarder {
  const balancers = new Map(
    plan.versions.map((version) => [version.name, createBalancer(plan.balance, version, random)]),
  )
  const [first] = balancers.values()
  if (!first) throw new TypeError(`Upstream ${plan.name} has no version`)
  const choose: Balancer = (call) => (balancers.get(call.version) ?? first)(call)

  return <One extends Call>(ended?: (call: One) => void) => {
    const way: Way<One> = { transport, clock, choose, ended, keepsHost: plan.preserveHost }
    return (call: One, caller: Receiver) => new Attempt(way, call, caller).make()
  }
}

/** What the attempts of an upstream share. */
interface Way<One extends Call> {
  readonly transport: Transport
  readonly clock: Clock
  readonly choose: Balancer
  readonly ended: ((call: One) => void) | undefined
  /** Whether upstreams see the `Host` that the client has sent. */
  readonly keepsHost: boolean
}

/**
 * A call on its way to one target, from which it hears what came of it. Its fields are put together by whoever needs
 * them, in the form it needs.
 */
class Attempt<One extends Call> implements OutgoingRequest, Receiver {
  readonly #way: Way<One>
  readonly #call: One
  readonly #caller: Receiver
  readonly #target: Target
  readonly #startedAt: number

  constructor(way: Way<One>, call: One, caller: Receiver) {
    const target = way.choose(call)
    this.#way = way
    this.#call = call
    this.#caller = caller
    this.#target = target
    const { record } = call
    if (record.attempts++ > 0) forgetLastTry(record)
    record.target = target.origin
    this.#startedAt = occupy(target, way.clock)
  }

  get origin(): string {
    return this.#target.origin
  }

  get target(): string {
    return this.#target.basePath + this.#call.path
  }

  get url(): string {
    return this.origin + this.target
  }

  get method(): string {
    return this.#call.method
  }

  get body(): CallBody {
    return this.#call.body
  }

  get signal(): AbortSignal {
    return this.#call.signal
  }

  get stop(): StopSource {
    return this.#call.stop
  }

  get headers(): Headers {
    return this.#call.headers
  }

  get fieldLines(): string | undefined {
    return this.#call instanceof UpstreamCall ? this.#call.fieldLines : undefined
  }

  make(): void {
    const call = this.#call
    const { transport, keepsHost } = this.#way
    try {
      throwIfStopped(call)
      if (keepsHost) call.headers.set('host', call.exchange.request.headers.get('host') ?? '')
      if (call.websocket) this.#tunnel()
      else transport.send(this, this)
    } catch (error) {
      this.failed(error)
    }
  }

  #tunnel(): void {
    const opening = openTunnel(this.#call, this.#target.base, this.#way.transport)
    opening.then(this.#end.bind(this), this.failed.bind(this))
  }

  replied(reply: Reply): void {
    let clean: Reply
    try {
      clean = cleanReply(reply, this.#call)
    } catch (error) {
      this.failed(error)
      return
    }
    this.#end(clean)
  }

  failed(error: unknown): void {
    const blamed = blame(error, this.#call, this.#way.transport)
    this.#leave()
    this.#caller.failed(blamed)
  }

  #end(reply: Reply): void {
    this.#leave()
    this.#caller.replied(reply)
  }

  #leave(): void {
    vacate(this.#target, this.#startedAt, this.#way.clock)
    this.#way.ended?.(this.#call)
  }
}

/** Else the status of one try would stand beside the failure of the next. */
function forgetLastTry(record: CallRecord): void {
  delete record.status
  delete record.failure
  delete record.cause
}

function throwIfStopped({ stop: { reason } }: Call): void {
  if (reason !== undefined) throw reason
}

const CODES = {
  unreachable: 'upstream-unreachable',
  'invalid-response': 'upstream-invalid-response',
  'websocket-refused': 'websocket-refused',
} as const

/** Whose fault it is: the client's (it left, it sent too much), the deadline's, or the upstream's. */
function blame(error: unknown, call: Call, transport: Transport): unknown {
  if (call.exchange.body.failure) return noted(call.exchange.body.failure, call)
  const { reason } = call.stop
  if (reason !== undefined) return noted(reason, call)
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
