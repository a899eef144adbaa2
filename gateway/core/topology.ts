/** One thing the broker must have; declaring it again changes nothing when it is there and the same. */
export type Declaration =
  /** Topic, durable; one of somebody else's may be of any kind, and only has to be there. */
  | { readonly kind: 'exchange'; readonly name: string; readonly isOthers?: true }
  /** Durable. `site` leads to the part of the file it comes from. */
  | { readonly kind: 'queue'; readonly name: string; readonly arguments: QueueArguments; readonly site: string }
  | { readonly kind: 'binding'; readonly queue: string; readonly exchange: string; readonly pattern: string }

/** Arguments of `queue.declare` as they stand on the wire. */
export type QueueArguments = Readonly<Record<string, string | number>>

/** What the broker must have, each thing after those it refers to. */
export type Topology = readonly Declaration[]

/** A queue as it is asked for. */
export interface QueueWish {
  readonly name: string
  readonly exchange: string
  /** Patterns of routing keys. */
  readonly bind: readonly string[]
  /** Deliveries that may fail before the message becomes a dead letter. */
  readonly deliveryLimit: number
  /** A retry queue for each of these delays, in milliseconds. */
  readonly retryMs: readonly number[]
}

/** What is asked for, by the names of exchanges and queues. */
export interface TopologyWish {
  /** Exchanges that get an exchange and a queue for dead letters. */
  readonly exchanges: readonly string[]
  readonly queues: readonly QueueWish[]
  /** Exchanges that are published to. */
  readonly published: readonly string[]
  /** Exchanges somebody else declares. */
  readonly others: readonly string[]
}

/** Spells out everything that has to be declared, under the names that consumers and operators rely on. */
export function planTopology({ exchanges, queues, published, others }: TopologyWish): Topology {
  return [
    ...[...new Set([...exchanges, ...published])]
      .filter((name) => !others.includes(name))
      .map((name): Declaration => ({ kind: 'exchange', name })),
    ...others.map((name): Declaration => ({ kind: 'exchange', name, isOthers: true })),
    ...exchanges.flatMap(deadLetterDeclarations),
    ...queues.flatMap(queueDeclarations),
  ]
}

/** Name of the exchange that takes what `exchange`'s queues give up, and of the queue that keeps it. */
export function deadLetterName(exchange: string): string {
  return `${exchange}.dead-letters`
}

/** Name of the queue in which a message of `queue` waits `delayMs` milliseconds: whole seconds where that is exact. */
export function retryQueueName(queue: string, delayMs: number): string {
  return `${queue}.retry-${delayMs % 1_000 === 0 ? `${delayMs / 1_000}s` : `${delayMs}ms`}`
}

/** Dead-lettering at least once needs the broker to refuse what it has no room for, instead of dropping it. */
const KEPT = { 'x-queue-type': 'quorum', 'x-overflow': 'reject-publish' } as const
const AT_LEAST_ONCE = { ...KEPT, 'x-dead-letter-strategy': 'at-least-once' } as const

function deadLetterDeclarations(exchange: string): Declaration[] {
  const name = deadLetterName(exchange)
  return [
    { kind: 'exchange', name },
    { kind: 'queue', name, arguments: { 'x-queue-type': 'quorum' }, site: 'topology.exchanges' },
    { kind: 'binding', queue: name, exchange: name, pattern: '#' },
  ]
}

function queueDeclarations({ name, exchange, bind, deliveryLimit, retryMs }: QueueWish): Declaration[] {
  const site = `topology.queues.${name}`
  const own = {
    ...AT_LEAST_ONCE,
    'x-delivery-limit': deliveryLimit,
    'x-dead-letter-exchange': deadLetterName(exchange),
    'x-dead-letter-routing-key': name,
  }
  return [
    { kind: 'queue', name, arguments: own, site },
    ...retryMs.map(
      (delayMs): Declaration => ({
        kind: 'queue',
        name: retryQueueName(name, delayMs),
        arguments: {
          ...AT_LEAST_ONCE,
          'x-message-ttl': delayMs,
          'x-dead-letter-exchange': '',
          'x-dead-letter-routing-key': name,
        },
        site,
      }),
    ),
    ...bind.map((pattern): Declaration => ({ kind: 'binding', queue: name, exchange, pattern })),
  ]
}

/** Names of the queues in which dead letters may lie: those of every exchange that is declared. */
export function deadLetterQueues(topology: Topology): readonly string[] {
  const exchanges = topology.flatMap((declared) => (declared.kind === 'exchange' ? [declared.name] : []))
  const kept = new Set(exchanges.map(deadLetterName))
  return exchanges.filter((name) => !kept.has(name)).map(deadLetterName)
}
