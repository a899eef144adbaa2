import type { Broker } from '../broker.ts'
import type { Method, MethodArguments, MethodName } from '../codec/methods.ts'
import type { ExchangeType } from '../exchange.ts'
import { ProtocolError } from '../protocol-error.ts'
import type { Queue } from '../queue.ts'
import { readQueueSettings } from '../queue-settings.ts'

/** What a declaration needs to know about the channel it came on. */
export interface TopologyContext {
  readonly broker: Broker
  readonly owner: object
  /** The queue an empty name stands for: the one declared last on this channel. */
  lastQueue: string | undefined
  reply<Name extends MethodName>(name: Name, values: MethodArguments<Name>): void
}

const EXCHANGE_TYPES: readonly ExchangeType[] = ['direct', 'fanout', 'topic']

/** Handles the methods of the classes exchange and queue; returns false for any other. */
export function handleTopology(context: TopologyContext, method: Method): boolean {
  switch (method.name) {
    case 'exchange.declare':
      declareExchange(context, method.arguments)
      return true
    case 'exchange.delete':
      deleteExchange(context, method.arguments)
      return true
    case 'queue.declare':
      declareQueue(context, method.arguments)
      return true
    case 'queue.bind':
      bind(context, method.arguments)
      return true
    case 'queue.unbind':
      unbind(context, method.arguments)
      return true
    case 'queue.purge':
      purge(context, method.arguments)
      return true
    case 'queue.delete':
      deleteQueue(context, method.arguments)
      return true
    default:
      return false
  }
}

/** The queue a method names; an empty name is the queue declared last on the channel. */
export function namedQueue(context: TopologyContext, name: string): Queue {
  return context.broker.topology.queue(queueName(context, name), context.owner)
}

function queueName({ lastQueue }: TopologyContext, name: string): string {
  if (name !== '') return name
  if (lastQueue === undefined) throw new ProtocolError(404, 'no previously declared queue on this channel')
  return lastQueue
}

function declareExchange(context: TopologyContext, values: MethodArguments<'exchange.declare'>): void {
  const { exchange: name, durable, autoDelete, internal } = values
  assertNotDefault(name)
  if (values.passive) context.broker.topology.exchange(name)
  else {
    if (values.arguments.has('alternate-exchange')) {
      throw new ProtocolError(540, 'the embedded broker does not know alternate-exchange: leave it out or use RabbitMQ')
    }
    context.broker.topology.declareExchange({ name, type: exchangeType(values.type), durable, autoDelete, internal })
  }
  if (!values.noWait) context.reply('exchange.declare-ok', {})
}

function exchangeType(name: string): ExchangeType {
  const type = EXCHANGE_TYPES.find((known) => known === name)
  if (type !== undefined) return type
  if (name === 'headers') {
    throw new ProtocolError(540, 'the embedded broker has no headers exchanges: use topic, or RabbitMQ')
  }
  throw new ProtocolError(503, `unknown exchange type '${name}': use ${EXCHANGE_TYPES.join(', ')}`)
}

function deleteExchange(context: TopologyContext, values: MethodArguments<'exchange.delete'>): void {
  assertNotDefault(values.exchange)
  context.broker.topology.deleteExchange(values.exchange, values)
  if (!values.noWait) context.reply('exchange.delete-ok', {})
}

function declareQueue(context: TopologyContext, values: MethodArguments<'queue.declare'>): void {
  const queue = values.passive ? namedQueue(context, values.queue) : declare(context, values)
  context.lastQueue = queue.name
  const { name, readyCount: messageCount, consumerCount } = queue
  if (!values.noWait) context.reply('queue.declare-ok', { queue: name, messageCount, consumerCount })
}

function declare({ broker, owner }: TopologyContext, values: MethodArguments<'queue.declare'>): Queue {
  const { durable, autoDelete, exclusive } = values
  if (values.queue.startsWith('amq.') && !broker.topology.hasQueue(values.queue)) {
    throw new ProtocolError(403, `queue name '${values.queue}' has the reserved prefix 'amq.'`)
  }
  const name = values.queue === '' ? `amq.gen-${crypto.randomUUID()}` : values.queue
  const settings = readQueueSettings(name, values.arguments)
  if (settings['x-queue-type'] === 'quorum' && (!durable || autoDelete || exclusive)) {
    throw new ProtocolError(
      406,
      `quorum queue '${name}' in vhost '/' must be durable and neither exclusive nor auto-delete`,
    )
  }
  return broker.topology.declareQueue(
    { name, durable, autoDelete, owner: exclusive ? owner : undefined, settings },
    owner,
  )
}

function bind(context: TopologyContext, values: MethodArguments<'queue.bind'>): void {
  const queue = namedQueue(context, values.queue)
  assertNotDefault(values.exchange)
  // RabbitMQ's shortcut: neither queue nor key named binds the queue declared last by its own name.
  const routingKey = values.queue === '' && values.routingKey === '' ? queue.name : values.routingKey
  context.broker.topology.bind(queue, values.exchange, routingKey)
  if (!values.noWait) context.reply('queue.bind-ok', {})
}

function unbind(context: TopologyContext, values: MethodArguments<'queue.unbind'>): void {
  const name = queueName(context, values.queue)
  assertNotDefault(values.exchange)
  const routingKey = values.queue === '' && values.routingKey === '' ? name : values.routingKey
  if (context.broker.topology.hasQueue(name)) {
    context.broker.topology.unbind(context.broker.topology.queue(name, context.owner).name, values.exchange, routingKey)
  }
  context.reply('queue.unbind-ok', {})
}

function purge(context: TopologyContext, values: MethodArguments<'queue.purge'>): void {
  const messageCount = context.broker.purge(namedQueue(context, values.queue))
  if (!values.noWait) context.reply('queue.purge-ok', { messageCount })
}

/** Deleting a queue that is not there is no mistake, as in RabbitMQ. */
function deleteQueue(context: TopologyContext, values: MethodArguments<'queue.delete'>): void {
  const name = queueName(context, values.queue)
  let messageCount = 0
  if (context.broker.topology.hasQueue(name)) {
    const queue = context.broker.topology.queue(name, context.owner)
    if (values.ifUnused && queue.consumerCount > 0) throw new ProtocolError(406, `queue '${name}' in vhost '/' in use`)
    if (values.ifEmpty && queue.readyCount > 0)
      throw new ProtocolError(406, `queue '${name}' in vhost '/' is not empty`)
    messageCount = context.broker.deleteQueue(queue)
  }
  if (!values.noWait) context.reply('queue.delete-ok', { messageCount })
}

function assertNotDefault(exchange: string): void {
  if (exchange === '') throw new ProtocolError(403, 'operation not permitted on the default exchange')
}
