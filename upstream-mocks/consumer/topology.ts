import type { AMQPChannel } from '@cloudamqp/amqp-client'
import { BrokerRefusal, reasonOf } from './failures.ts'

/** One queue of a consumer with the delay queues behind it. */
export interface QueuePlan {
  /** e.g. `inventory.order-placed` */
  readonly queue: string
  /** The type of event it takes, which is the routing key. */
  readonly type: string
  /** Where a message waits before it comes back to the queue, shortest wait first. */
  readonly delays: readonly DelayQueue[]
}

/** A queue nobody consumes: what is in it goes back after a while. */
export interface DelayQueue {
  readonly queue: string
  readonly delayMs: number
}

/** All a consumer needs of the broker. */
export interface Topology {
  readonly exchange: string
  /** Name of the dead-letter exchange and of the queue behind it. */
  readonly deadLetters: string
  readonly queues: readonly QueuePlan[]
  readonly deliveryLimit: number
}

/** What the names are made of. */
export interface TopologyOptions {
  readonly service: string
  readonly exchange: string
  /** Put before every queue's name, for several installations on one broker. */
  readonly queuePrefix: string
  readonly types: readonly string[]
  readonly delaysMs: readonly number[]
  /** How often the broker delivers a message whose consumer dies with it in hand, before it is a dead letter. */
  readonly deliveryLimit: number
}

/** The names of everything: `<service>.<type with dashes>`, `<queue>.retry-10s`, `<exchange>.dead-letters`. */
export function planTopology(options: TopologyOptions): Topology {
  const { service, exchange, queuePrefix, types, delaysMs, deliveryLimit } = options
  const queues = types.map((type) => {
    const queue = `${queuePrefix}${service}.${type.replaceAll('.', '-')}`
    const delays = delaysMs.map((delayMs) => ({ queue: `${queue}.retry-${label(delayMs)}`, delayMs }))
    return { queue, type, delays }
  })
  return { exchange, deadLetters: `${exchange}.dead-letters`, queues, deliveryLimit }
}

function label(delayMs: number): string {
  return delayMs % 1_000 === 0 ? `${delayMs / 1_000}s` : `${delayMs}ms`
}

const QUORUM = { 'x-queue-type': 'quorum' }
/** Without it a message that dies could be lost on its way; it needs `reject-publish`. */
const AT_LEAST_ONCE = { ...QUORUM, 'x-dead-letter-strategy': 'at-least-once', 'x-overflow': 'reject-publish' }

/** Declares what is missing. Throws an error that names the difference when something is there with other settings. */
export async function declareTopology(channel: AMQPChannel, topology: Topology): Promise<void> {
  const { exchange, deadLetters, deliveryLimit } = topology
  await declareExchange(channel, exchange)
  await declareExchange(channel, deadLetters)
  await declareQueue(channel, deadLetters, QUORUM)
  await channel.queueBind(deadLetters, deadLetters, '#')
  for (const { queue, type, delays } of topology.queues) {
    for (const { queue: delayQueue, delayMs } of delays) {
      await declareQueue(channel, delayQueue, {
        ...AT_LEAST_ONCE,
        'x-message-ttl': delayMs,
        'x-dead-letter-exchange': '',
        'x-dead-letter-routing-key': queue,
      })
    }
    await declareQueue(channel, queue, {
      ...AT_LEAST_ONCE,
      'x-delivery-limit': deliveryLimit,
      'x-dead-letter-exchange': deadLetters,
      'x-dead-letter-routing-key': queue,
    })
    await channel.queueBind(queue, exchange, type)
  }
}

async function declareExchange(channel: AMQPChannel, exchange: string): Promise<void> {
  const declaring = channel.exchangeDeclare(exchange, 'topic', { durable: true })
  await declaring.catch((error) => refuse(`exchange "${exchange}"`, error))
}

async function declareQueue(channel: AMQPChannel, queue: string, settings: object): Promise<void> {
  const declaring = channel.queueDeclare(queue, { durable: true, autoDelete: false, exclusive: false }, settings)
  await declaring.catch((error) => refuse(`queue "${queue}"`, error))
}

/** e.g. `PRECONDITION_FAILED - inequivalent arg 'x-message-ttl' for queue 'q' in vhost '/': received '10' but current is '20'` */
const INEQUIVALENT = /inequivalent arg '([^']+)' for .*?: received (.+?) but current is (.+?)(?: \(406\))?$/

/** The broker closes the channel with its answer; anything else is a line that was lost. */
const ANSWER = /^channel \d+ closed: .* \(\d{3}\)$/s

function refuse(thing: string, cause: unknown): never {
  const reason = reasonOf(cause)
  const [, setting, wanted = '', found = ''] = INEQUIVALENT.exec(reason) ?? []
  if (setting === undefined) throw ANSWER.test(reason) ? new BrokerRefusal(`The ${thing}: ${reason}`, { cause }) : cause
  throw new BrokerRefusal(
    `The ${thing} is there with another ${setting}: ${plain(found)} instead of ${plain(wanted)}. Empty and delete it, or use another name`,
    { cause },
  )
}

/** RabbitMQ writes `'10'`, `the value '10' of type 'signedint'` or `none`. */
function plain(value: string): string {
  const [, quoted] = /'(.*?)'/.exec(value) ?? []
  return quoted === undefined ? value : `"${quoted}"`
}
