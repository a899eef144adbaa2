import type { Clock } from '../core/clock.ts'
import type { Departure } from '../core/departure.ts'
import { ClientGone, type FailureCode, GatewayError } from '../core/errors.ts'
import type { Client, Exchange } from '../core/exchange.ts'
import { givenUpCallsEnded } from '../core/given-up-calls.ts'
import { isWhole } from '../core/read-reply.ts'
import type { CallRecord } from '../core/record.ts'
import type { Stop } from '../core/stop.ts'
import { answerAbort } from './answer-failure.ts'

/** What is known of a request when it arrives. */
export interface Arrival {
  readonly request: Request
  readonly userAgent: string | undefined
  readonly id: string
  readonly client: Client
  /** Milliseconds since the Unix epoch. */
  readonly startedAt: number
}

/**
 * One request from its arrival to its log line; filled in as more becomes known. It is answered once: by the pipeline,
 * at the deadline or when the client leaves, whichever comes first. A policy or an upstream that ignores the signal
 * must not keep anybody waiting.
 */
export class Visit implements Arrival {
  readonly request: Request
  readonly userAgent: string | undefined
  readonly id: string
  readonly client: Client
  readonly startedAt: number
  /** Undefined when the target was refused. */
  path: string | undefined
  /** Undefined when the door refused the request. */
  exchange: Exchange | undefined
  /** True once a WebSocket was accepted: the response is not what the client sees. */
  switched = false
  failure: FailureCode | undefined
  /** Resolves with the response as the client gets it. */
  readonly answer: Promise<Response>
  #cancelDeadline: (() => void) | undefined
  #gone: Departure | undefined
  #stop: Stop | undefined
  readonly #leave: Leave
  readonly #resolve: (response: Response) => void
  readonly #reject: (error: unknown) => void
  #isAnswered = false

  constructor({ request, userAgent, id, client, startedAt }: Arrival, leave: Leave) {
    this.request = request
    this.userAgent = userAgent
    this.id = id
    this.client = client
    this.startedAt = startedAt
    this.#leave = leave
    const { promise, resolve, reject } = Promise.withResolvers<Response>()
    this.answer = promise
    this.#resolve = resolve
    this.#reject = reject
  }

  /** Calls made for it so far. */
  get calls(): readonly CallRecord[] {
    return this.exchange?.record.calls ?? NO_CALLS
  }

  /** The door has let the request in. */
  begin(exchange: Exchange, stop: Stop): void {
    this.exchange = exchange
    this.#stop = stop
  }

  /** Ends the exchange at its deadline. */
  endAfter(timeoutMs: number, clock: Clock): void {
    this.#cancelDeadline = clock.after(timeoutMs, this.#passDeadline.bind(this))
  }

  #passDeadline(): void {
    this.abort(
      this.exchange?.body.isReading
        ? new GatewayError('request-timeout')
        : new GatewayError('upstream-timeout', { detail: 'The total time for this route is up' }),
    )
  }

  /** Ends the exchange when the client is gone, also in the middle of the body. */
  heed(gone: Departure | undefined): void {
    this.#gone = gone
    if (gone?.aborted) this.handleEvent()
    else gone?.addEventListener('abort', this, ONCE)
  }

  /** The client has left. */
  handleEvent(): void {
    this.abort(new ClientGone())
  }

  /** Ends the exchange, whether or not its policies and upstreams heed the signal. */
  abort(reason: Error): void {
    this.#stop?.abort(reason)
    if (this.exchange && !this.#isAnswered) this.settle(answerAbort(reason, this.exchange))
  }

  /** Answers, unless that is done. */
  settle(response: Response): void {
    this.#cancelDeadline?.()
    if (this.#isAnswered) {
      // A body nobody reads would keep its connection.
      response.body?.cancel().catch(() => {})
      return
    }
    this.#isAnswered = true
    // There is nothing left to give up; and what listens to a signal takes the collector's time for as long as it is there.
    if (isWhole(response)) this.#gone?.removeEventListener('abort', this)
    if (this.#stop?.reason !== undefined) this.#goLater(response)
    else this.#go(response)
  }

  async #goLater(response: Response): Promise<void> {
    await givenUpCallsEnded()
    this.#go(response)
  }

  #go(response: Response): void {
    try {
      this.#resolve(this.#leave(this, response))
    } catch (error) {
      this.#reject(error)
    }
  }
}

const ONCE = { once: true } as const
const NO_CALLS: readonly CallRecord[] = []

/** Tells the log of the visit and gives the response as the client gets it. */
export type Leave = (visit: Visit, response: Response) => Response
