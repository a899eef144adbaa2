import type { Clock } from '../../core/clock.ts'
import type { DeadLetter, Operations } from '../../core/operations.ts'
import type { Logger, Metrics } from '../../core/telemetry.ts'
import { deadLetterQueues, type Topology } from '../../core/topology.ts'
import { createAmqpDeadLetters } from '../../events/amqp-dead-letters.ts'
import { watchDeadLetters } from '../../events/dead-letter-gauge.ts'
import type { Outbox } from '../../events/outbox.ts'
import { createOutboxOperations } from '../../events/outbox-operations.ts'
import type { Relay } from '../../events/relay.ts'

export interface OperationsParts {
  readonly outbox: Outbox
  /** What delivers from it. */
  readonly relay: Pick<Relay, 'waiting'>
  /** Called when an unknown outcome is not to wait any longer. */
  readonly tryNow: () => void
  /** URL of the broker; holds its password. */
  readonly brokerUrl: string
  readonly topology: Topology
  readonly clock: Clock
  readonly log: Logger
  readonly metrics: Metrics
}

/** What an operator may see and do in a running gateway, with a connection of its own to the broker. */
export interface RunningOperations extends Operations {
  stop(): Promise<void>
}

/** Opens the operator's view, and counts dead letters for the metrics. */
export function startOperations(parts: OperationsParts): RunningOperations {
  const { outbox, relay, tryNow, brokerUrl, topology, clock, log, metrics } = parts
  const queues = deadLetterQueues(topology)
  const onDiscard = ({ id, queue, type, subject, reason }: DeadLetter) =>
    log.warn('Discarded a dead letter', { event: id, queue, type, subject, reason })
  const deadLetters = createAmqpDeadLetters({ url: brokerUrl, queues, clock, onDiscard })
  const endWatch = watchDeadLetters({ queues, count: deadLetters.count, clock, metrics })
  return {
    outbox: createOutboxOperations({ outbox, clock, waiting: relay.waiting, tryNow }),
    deadLetters,
    async stop() {
      endWatch()
      await deadLetters.close()
    },
  }
}
