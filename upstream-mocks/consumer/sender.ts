import type { AmqpLine } from './amqp-line.ts'
import { backoffMs } from './backoff.ts'
import { toMessage } from './cloud-event.ts'
import { reasonOf } from './failures.ts'
import type { Log } from './log.ts'
import type { Metrics } from './metrics.ts'
import type { Outgoing, Owed } from './outgoing.ts'
import { sleep } from './sleep.ts'
import type { StepHook } from './steps.ts'

/** Sends what a service owes, as long as there is a line. */
export interface Sender {
  /** Sends until the line is lost. */
  run(line: AmqpLine): Promise<void>
  /** Resolves when nothing is owed any more, or after `limitMs`. */
  flush(line: AmqpLine, limitMs: number): Promise<void>
}

export interface SenderOptions {
  readonly service: string
  readonly exchange: string
  readonly outgoing: Outgoing
  readonly metrics: Metrics
  readonly log: Log
  readonly random: () => number
  readonly onStep: StepHook | undefined
}

const BATCH = 128
const SWEEP_MS = 1_000
const AGAIN = { firstMs: 100, longestMs: 5_000 }

interface Pause {
  readonly failures: number
  readonly untilMs: number
}

/** Sends in the order of each subject, one at a time; a subject that cannot be sent holds up no other. */
export function createSender(options: SenderOptions): Sender {
  const { service, exchange, outgoing, metrics, log, random, onStep } = options
  const pauses = new Map<string, Pause>()
  let wake = new AbortController()
  outgoing.onAdded(() => wake.abort())

  async function run(line: AmqpLine): Promise<void> {
    while (!line.lost.aborted) {
      wake = new AbortController()
      const didSomething = await round(line).catch((error) => {
        log.warn('Cannot read or mark what is owed, will try again', { service, reason: reasonOf(error) })
        return false
      })
      if (!didSomething) await sleep(nextPauseMs(), AbortSignal.any([wake.signal, line.lost]))
    }
  }

  /** One batch; says whether there was anything. */
  async function round(line: AmqpLine): Promise<boolean> {
    const nowMs = performance.now()
    const paused = [...pauses].filter(([, { untilMs }]) => untilMs > nowMs).map(([subject]) => subject)
    const batch = outgoing.oldest(BATCH, paused)
    const sent = await Promise.all([...Map.groupBy(batch, ({ subject }) => subject).values()].map(sendInOrder))
    const done = sent.flat()
    if (done.length > 0) outgoing.forget(done)
    metrics.set('consumer_outgoing_pending', outgoing.count())
    return batch.length > 0

    async function sendInOrder(owed: readonly Owed[]): Promise<number[]> {
      const confirmed: number[] = []
      for (const { sequence, subject, event } of owed) {
        onStep?.('before-publish', event.type)
        const failure = await send(line, event)
        if (failure !== undefined) {
          // A lost line is no news about one subject: everything is sent again on the next.
          if (!line.lost.aborted) pause(subject, failure)
          break
        }
        pauses.delete(subject)
        onStep?.('after-publish-before-mark', event.type)
        confirmed.push(sequence)
      }
      return confirmed
    }
  }

  /** Undefined once the broker has the event in a queue, otherwise why not. */
  async function send(line: AmqpLine, event: Owed['event']): Promise<string | undefined> {
    try {
      const result = await line.publish({ exchange, routingKey: event.type, ...toMessage(event) })
      metrics.count(result === 'confirmed' ? 'consumer_published_total' : 'consumer_returned_total', {
        type: event.type,
      })
      return result === 'confirmed' ? undefined : `No queue takes ${event.type} yet: start the service that does`
    } catch (error) {
      return reasonOf(error)
    }
  }

  function pause(subject: string, reason: string): void {
    const failures = pauses.get(subject)?.failures ?? 0
    if (failures === 0) log.warn('Could not send an event, will try again', { service, subject, reason })
    pauses.set(subject, {
      failures: failures + 1,
      untilMs: performance.now() + backoffMs(failures, random(), AGAIN),
    })
  }

  function nextPauseMs(): number {
    const next = Math.min(...[...pauses.values()].map(({ untilMs }) => untilMs))
    return Math.min(SWEEP_MS, Math.max(1, next - performance.now()))
  }

  return {
    run,
    async flush(line, limitMs) {
      const deadline = performance.now() + limitMs
      while (!line.lost.aborted && performance.now() < deadline && outgoing.count() > 0) await sleep(5, line.lost)
    },
  }
}
