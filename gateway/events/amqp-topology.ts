import type { AMQPChannel } from '@cloudamqp/amqp-client'
import type { Clock } from '../core/clock.ts'
import type { EventAddress } from '../core/events.ts'
import type { Logger } from '../core/telemetry.ts'
import { matchesTopic } from '../core/topic.ts'
import type { Declaration, Topology } from '../core/topology.ts'
import type { AmqpConnection } from './amqp-connection.ts'
import { describeRefusal, readRefusal } from './broker-refusal.ts'
import { declareExchange } from './declare-exchange.ts'

/** The topology on one connection. */
export interface DeclaredTopology {
  /** Resolves when everything was declared or refused once; rejects when the connection is lost before. */
  readonly declared: Promise<void>
  /** What the broker refuses and how to mend it; undefined when it has everything. */
  readonly refusal: string | undefined
  /** Resolves when events may go there; rejects when the broker refuses what would have to keep them. */
  admit(address: EventAddress): Promise<void>
  /** An exchange has gone: declares everything again before anything further is admitted. */
  renew(): void
  /** The broker had no queue for an event. If it should have one, that has gone. */
  returned(address: EventAddress): void
}

export interface DeclareParts {
  readonly connection: AmqpConnection
  readonly topology: Topology
  readonly clock: Clock
  readonly log: Logger
}

/** Somebody may mend what was refused. Each refusal closes a channel and fills the broker's log, so not too often. */
const AGAIN_AFTER_MS = 5_000

/** Declares on channels of its own: a refusal closes the channel, and with it would go what is in flight there. */
export function declareTopology({ connection, topology, clock, log }: DeclareParts): DeclaredTopology {
  const refusals = new Map<Declaration, string>()
  let channel: AMQPChannel | undefined
  let isEnded = false
  let isStale = false
  let passing: Promise<void> | undefined
  let cancelRetry = () => {}

  /** One pass after the other; what is admitted meanwhile waits. Rejects when the connection is lost. */
  function pass(): Promise<void> {
    passing ??= declareAll().finally(() => {
      passing = undefined
    })
    // Waited for by whoever publishes, which may be nobody.
    passing.catch((error: Error) => connection.abandon(error.message))
    return passing
  }

  /** Everything each time: with an exchange or a queue that was mended by deleting it, its bindings have gone too. */
  async function declareAll(): Promise<void> {
    do {
      isStale = false
      for (const declaration of topology) await declare(declaration)
    } while (isStale)
    cancelRetry()
    if (refusals.size > 0 && !isEnded) cancelRetry = clock.after(AGAIN_AFTER_MS, () => void pass())
  }

  async function declare(declaration: Declaration): Promise<void> {
    try {
      await connection.awaitAnswer(
        declaration.kind === 'exchange'
          ? declareExchange(connection, declaration.name, declaration.isOthers)
          : openChannel().then((opened) => declareOn(opened, declaration)),
      )
      if (refusals.delete(declaration)) log.info('The broker takes what it refused', { ...naming(declaration) })
    } catch (error) {
      const refusal = readRefusal(error)
      if (!refusal) throw error
      const reason = describeRefusal(declaration, refusal)
      if (refusals.get(declaration) !== reason) log.error('The broker refuses a part of the topology', { reason })
      refusals.set(declaration, reason)
    }
  }

  async function openChannel(): Promise<AMQPChannel> {
    if (!channel || channel.closed) channel = await connection.openChannel()
    return channel
  }

  /** The queues that events of this address belong into. */
  function queuesOf({ exchange, routingKey }: EventAddress): string[] {
    return topology.flatMap((it) =>
      it.kind === 'binding' && it.exchange === exchange && matchesTopic(it.pattern, routingKey) ? [it.queue] : [],
    )
  }

  function refusalOf(address: EventAddress): string | undefined {
    if (refusals.size === 0) return undefined
    const queues = queuesOf(address)
    const [, reason] =
      [...refusals].find(([it]) =>
        it.kind === 'exchange'
          ? it.name === address.exchange
          : queues.includes(it.kind === 'queue' ? it.name : it.queue),
      ) ?? []
    return reason
  }

  function renew(): void {
    if (topology.length === 0) return
    isStale = true
    if (!passing) void pass()
  }

  void connection.ended.then(() => {
    isEnded = true
    cancelRetry()
  })

  return {
    declared: pass(),
    get refusal() {
      return refusals.size === 0 ? undefined : [...refusals.values()].join('; ')
    },
    async admit(address) {
      if (passing) await passing
      const refusal = refusalOf(address)
      if (refusal !== undefined) throw new Error(refusal)
    },
    renew,
    returned(address) {
      if (queuesOf(address).length > 0) renew()
    },
  }
}

async function declareOn(channel: AMQPChannel, declaration: Exclude<Declaration, { kind: 'exchange' }>): Promise<void> {
  if (declaration.kind === 'binding') {
    await channel.queueBind(declaration.queue, declaration.exchange, declaration.pattern)
  } else {
    await channel.queueDeclare(declaration.name, { durable: true }, { ...declaration.arguments })
  }
}

function naming(declaration: Declaration): Readonly<Record<string, string>> {
  const { kind } = declaration
  return kind === 'binding' ? { queue: declaration.queue } : { [kind]: declaration.name }
}
