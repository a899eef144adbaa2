import type { AMQPMessage, AMQPProperties } from '@cloudamqp/amqp-client'
import type { AmqpLine } from './amqp-line.ts'
import { backoffMs } from './backoff.ts'
import { type CloudEvent, fromMessage, traceIdOf } from './cloud-event.ts'
import { describeFailure, isUnavailable, Poison, reasonOf } from './failures.ts'
import type { Inbox, Taken } from './inbox.ts'
import { createLanes, type Lanes } from './lanes.ts'
import type { Log } from './log.ts'
import type { Metrics } from './metrics.ts'
import { history, withFailure, withoutBrokerMarks } from './retry-headers.ts'
import { sleep } from './sleep.ts'
import type { StepHook } from './steps.ts'
import type { QueuePlan } from './topology.ts'

/** What the deliveries of one queue on one line are handled with. */
export interface DeliveryOptions {
  readonly inbox: Inbox
  readonly plan: QueuePlan
  readonly deadLetters: string
  readonly line: AmqpLine
  readonly retriesMs: readonly number[]
  readonly maxEventBytes: number
  /** Aborted when the service stops: what waits for a retry is given back to the broker. */
  readonly stopping: AbortSignal
  readonly now: () => number
  readonly random: () => number
  readonly metrics: Metrics
  readonly log: Log
  readonly onStep: StepHook | undefined
}

/** A delayed event that has not come back after this long, besides its delay, holds up its subject no longer. */
export const DEFERRED_GRACE_MS = 60_000
const WAIT = { firstMs: 100, longestMs: 5_000 }

/** Handles each message to its end: takes effect, is known already, waits in a delay queue, or is a dead letter. */
export function createDelivery(options: DeliveryOptions): { receive(message: AMQPMessage): void; idle: Lanes['idle'] } {
  const { inbox, plan, deadLetters, line, retriesMs, maxEventBytes, stopping, now, random, metrics, log } = options
  const { service } = inbox
  const { queue } = plan
  const lanes = createLanes()
  const ended = AbortSignal.any([stopping, line.lost])
  let inHand = 0

  function receive(message: AMQPMessage): void {
    const read = readEvent(message)
    const lane = read instanceof Poison ? undefined : read.subject
    hold(1)
    const settled = lanes.run(lane, () => settle(message, read).catch((error) => giveBack(message, error)))
    void settled.finally(() => hold(-1))
  }

  function hold(change: number): void {
    inHand += change
    metrics.set('consumer_in_hand', inHand, { queue })
  }

  function readEvent({ properties, body }: AMQPMessage): CloudEvent | Poison {
    try {
      const event = fromMessage({ properties, body }, maxEventBytes)
      if (event.type === plan.type) return event
      return new Poison('unknown-type', `The event is a ${event.type.slice(0, 80)}: this queue takes ${plan.type}`)
    } catch (error) {
      if (error instanceof Poison) return error
      throw error
    }
  }

  async function settle(message: AMQPMessage, read: CloudEvent | Poison): Promise<void> {
    if (line.lost.aborted) return
    if (read instanceof Poison) return bury(message, undefined, read)
    for (let tries = 1; ; tries += 1) {
      const outcome = await attempt(read)
      if (outcome === 'ended') return
      if (outcome === 'behind') return postpone(message, read)
      if (outcome === 'applied' || outcome === 'repeat') return done(message, read, outcome)
      if (outcome.error instanceof Poison) return bury(message, read, outcome.error)
      const pauseMs = retriesMs[tries - 1]
      if (pauseMs === undefined) return escalate(message, read, outcome.error)
      metrics.count('consumer_retries_total', { queue, how: 'in place' })
      await sleep(pauseMs, ended)
      // Not acknowledged: the broker gives it to whoever comes next.
      if (ended.aborted) return
    }
  }

  async function attempt(event: CloudEvent): Promise<Taken | 'ended' | { readonly error: unknown }> {
    try {
      return await whenAble(() => {
        options.onStep?.('before-effect', event.type)
        return inbox.take(queue, event)
      })
    } catch (error) {
      return error === ENDED ? 'ended' : { error }
    }
  }

  /** Tries until the service itself works; the message stays in hand, and its subject waits behind it. */
  async function whenAble<T>(work: () => T): Promise<T> {
    for (let failures = 0; ; failures += 1) {
      try {
        const result = work()
        if (failures > 0) log.info('The service works again', { service, queue })
        return result
      } catch (error) {
        if (!isUnavailable(error)) throw error
        if (failures === 0) log.warn('The service cannot work, will wait', { service, queue, reason: reasonOf(error) })
        metrics.count('consumer_waits_total', { queue })
        await sleep(backoffMs(failures, random(), WAIT), ended)
        if (ended.aborted) throw ENDED
      }
    }
  }

  async function done(message: AMQPMessage, event: CloudEvent, outcome: 'applied' | 'repeat'): Promise<void> {
    const lagMs = Math.max(0, now() - Date.parse(event.time)) || 0
    if (outcome === 'applied') metrics.set('consumer_lag_seconds', lagMs / 1_000, { queue })
    metrics.count(outcome === 'applied' ? 'consumer_handled_total' : 'consumer_repeats_total', { queue })
    log.info(outcome === 'applied' ? 'Handled an event' : 'Knew an event already', { ...factsOf(event), lagMs })
    if (outcome === 'applied') options.onStep?.('after-commit-before-ack', event.type)
    await acknowledge(message)
  }

  /** Later: the next delay queue, or the dead letters when there is none left. */
  async function escalate(message: AMQPMessage, event: CloudEvent, error: unknown): Promise<void> {
    const { attempts } = history(message.properties)
    const delay = plan.delays[Math.floor(attempts / (retriesMs.length + 1))]
    if (!delay) return bury(message, event, error)
    const failure = describeFailure(error)
    log.warn('Could not handle an event, will try again later', { ...factsOf(event), ...failure, ...delay })
    metrics.count('consumer_retries_total', { queue, how: 'delayed' })
    const properties = withFailure(message.properties, { attempts: retriesMs.length + 1, atMs: now() })
    await defer(message, event, { delay, properties })
  }

  /** Behind an earlier event of its subject; that is no attempt. */
  async function postpone(message: AMQPMessage, event: CloudEvent): Promise<void> {
    const [delay] = plan.delays
    metrics.count('consumer_retries_total', { queue, how: 'behind' })
    if (delay) await defer(message, event, { delay, properties: withoutBrokerMarks(message.properties) })
  }

  interface Deferral {
    readonly delay: QueuePlan['delays'][number]
    readonly properties: AMQPProperties
  }

  async function defer(message: AMQPMessage, event: CloudEvent, { delay, properties }: Deferral): Promise<void> {
    await whenAble(() => inbox.deferred.note(queue, event, now() + delay.delayMs + DEFERRED_GRACE_MS))
    await forward(message, { exchange: '', routingKey: delay.queue, properties })
  }

  async function bury(message: AMQPMessage, event: CloudEvent | undefined, error: unknown): Promise<void> {
    const failure = describeFailure(error)
    const attempts = error instanceof Poison ? 1 : retriesMs.length + 1
    const properties = withFailure(message.properties, { attempts, atMs: now(), failure, queue })
    log.warn('Gave up on a message', { ...(event ? factsOf(event) : rawFactsOf(message)), ...failure })
    metrics.count('consumer_dead_letters_total', { queue, reason: failure.type })
    await forward(message, { exchange: deadLetters, routingKey: queue, properties })
    if (event) await whenAble(() => inbox.deferred.forget(queue, event))
  }

  interface Destination {
    readonly exchange: string
    readonly routingKey: string
    readonly properties: AMQPProperties
  }

  /** The original is acknowledged only when the broker has the copy. */
  async function forward(message: AMQPMessage, destination: Destination): Promise<void> {
    for (let failures = 0; !ended.aborted; failures += 1) {
      try {
        const result = await line.publish({ ...destination, body: message.body })
        if (result === 'confirmed') return await acknowledge(message)
        return line.lose(`nothing is behind "${destination.exchange}" for "${destination.routingKey}"`)
      } catch (error) {
        // Headers that cannot be written again: the broker can still dead-letter the message as it is.
        if (error instanceof RangeError || error instanceof TypeError) return await message.nack(false)
        await sleep(backoffMs(failures, random(), WAIT), ended)
      }
    }
  }

  /** An acknowledgement that cannot be sent means the channel is gone; the broker then delivers again. */
  async function acknowledge(message: AMQPMessage): Promise<void> {
    await message.ack().catch(() => {})
  }

  function giveBack(message: AMQPMessage, error: unknown): void {
    if (error !== ENDED) {
      log.warn('Could not settle a message', { ...rawFactsOf(message), reason: reasonOf(error) })
      line.lose('a message could not be settled')
    }
  }

  function factsOf({ id, type, source, subject, traceparent }: CloudEvent): Record<string, unknown> {
    return { service, queue, eventId: id, type, source, subject, traceId: traceIdOf(traceparent) }
  }

  function rawFactsOf({ properties }: AMQPMessage): Record<string, unknown> {
    const { cloudEvents_traceparent: traceparent } = properties.headers ?? {}
    return { service, queue, eventId: properties.messageId, traceId: traceIdOf(String(traceparent)) }
  }

  return { receive, idle: lanes.idle }
}

/** Thrown to leave a message unsettled: the line is gone or the service stops. */
const ENDED = new Error('ended')
