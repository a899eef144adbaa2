import type { Method, MethodArguments, MethodName } from '../codec/methods.ts'
import type { Entry } from '../message.ts'
import { ProtocolError } from '../protocol-error.ts'
import type { ChannelHost } from './channel-host.ts'
import { Consumer, type ConsumerHost } from './consumer.ts'
import { Publisher } from './publisher.ts'
import { handleTopology, namedQueue, type TopologyContext } from './topology-methods.ts'
import { type Delivery, requeue, Unsettled } from './unsettled.ts'

/** One open channel: its consumers, its outstanding deliveries, its publisher. Throws `ProtocolError`s at its connection. */
export class Channel implements ConsumerHost {
  readonly #id: number
  readonly #host: ChannelHost
  readonly #topology: TopologyContext
  readonly #consumers = new Map<string, Consumer>()
  readonly #unsettled = new Unsettled()
  readonly #publisher: Publisher
  #consumerPrefetch = 0
  #channelPrefetch = 0
  #isOpen = true

  constructor(id: number, host: ChannelHost) {
    this.#id = id
    this.#host = host
    this.#publisher = new Publisher(id, host)
    const { broker, owner } = host
    this.#topology = { broker, owner, lastQueue: undefined, reply: (name, values) => this.#reply(name, values) }
  }

  get takesDeliveries(): boolean {
    return this.#isOpen && this.#host.takesDeliveries
  }

  get hasCredit(): boolean {
    return this.#channelPrefetch === 0 || this.#unsettled.count < this.#channelPrefetch
  }

  handle(method: Method): void {
    this.#publisher.assertNoContentDue(method.name)
    if (handleTopology(this.#topology, method)) return
    switch (method.name) {
      case 'basic.publish':
        this.#publisher.begin(method.arguments)
        break
      case 'basic.ack':
        this.#acknowledge(method.arguments)
        break
      case 'basic.nack':
        this.#refuse(method.arguments)
        break
      case 'basic.reject':
        this.#refuse({ ...method.arguments, multiple: false })
        break
      case 'basic.get':
        this.#get(method.arguments)
        break
      case 'basic.consume':
        this.#consume(method.arguments)
        break
      case 'basic.cancel':
        this.#cancel(method.arguments)
        break
      case 'basic.cancel-ok':
        break
      case 'basic.qos':
        this.#qos(method.arguments)
        break
      case 'basic.recover':
        this.#recover(method.arguments)
        this.#reply('basic.recover-ok', {})
        break
      case 'basic.recover-async':
        this.#recover(method.arguments)
        break
      case 'confirm.select':
        this.#publisher.selectConfirms()
        if (!method.arguments.noWait) this.#reply('confirm.select-ok', {})
        break
      case 'channel.flow':
        if (!method.arguments.active) throw new ProtocolError(540, 'channel.flow cannot stop deliveries: use basic.qos')
        this.#reply('channel.flow-ok', { active: true })
        break
      default:
        throw new ProtocolError(503, `${method.name} is not for a client to send on an open channel`)
    }
  }

  header(payload: Uint8Array): void {
    this.#publisher.header(payload)
  }

  body(payload: Uint8Array): void {
    this.#publisher.body(payload)
  }

  /** Sends the confirms that are owed. */
  flush(): void {
    this.#publisher.flush()
  }

  /** Gives ready messages to this channel's consumers, after something had held them back. */
  dispatch(): void {
    for (const queue of new Set([...this.#consumers.values()].map((consumer) => consumer.queue))) queue.dispatch()
  }

  /** Stops all deliveries and returns what was delivered and not settled to its queues. */
  end(): void {
    this.#isOpen = false
    this.#publisher.end()
    for (const consumer of this.#consumers.values()) consumer.queue.removeConsumer(consumer)
    this.#consumers.clear()
    requeue(this.#unsettled.takeAll())
  }

  deliverTo(consumer: Consumer, entry: Entry): void {
    const { queue, tag: consumerTag, noAck } = consumer
    const { redelivered } = entry
    const message = queue.messageOf(entry)
    const { exchange, routingKey } = message
    const deliveryTag = noAck ? this.#unsettled.nextTag() : this.#unsettled.add({ entry, queue, consumer })
    const values = { consumerTag, deliveryTag, redelivered, exchange, routingKey }
    this.#host.sendContent(this.#id, 'basic.deliver', values, queue.contentOf(entry, message))
    if (noAck) queue.acknowledge(entry)
  }

  cancelledByBroker(consumer: Consumer): void {
    this.#consumers.delete(consumer.tag)
    if (this.#host.understandsCancel) this.#reply('basic.cancel', { consumerTag: consumer.tag, noWait: true })
  }

  #acknowledge({ deliveryTag, multiple }: MethodArguments<'basic.ack'>): void {
    const deliveries = this.#unsettled.take(deliveryTag, multiple)
    for (const { queue, entry } of deliveries) queue.acknowledge(entry)
    this.#afterSettling(deliveries)
  }

  #refuse(values: MethodArguments<'basic.nack'>): void {
    const deliveries = this.#unsettled.take(values.deliveryTag, values.multiple)
    if (values.requeue) requeue(deliveries)
    else for (const { queue, entry } of deliveries) queue.reject(entry)
    this.#afterSettling(deliveries)
  }

  #recover({ requeue: isRequeue }: MethodArguments<'basic.recover'>): void {
    if (!isRequeue) throw new ProtocolError(540, 'basic.recover with requeue=false')
    const deliveries = this.#unsettled.takeAll()
    requeue(deliveries)
    this.#afterSettling(deliveries)
  }

  #afterSettling(deliveries: readonly Delivery[]): void {
    // With a limit for the whole channel, room made by one consumer is room for all.
    if (this.#channelPrefetch > 0) this.dispatch()
    else for (const queue of new Set(deliveries.map((delivery) => delivery.queue))) queue.dispatch()
  }

  #get(values: MethodArguments<'basic.get'>): void {
    const queue = namedQueue(this.#topology, values.queue)
    const entry = queue.takeFirst()
    if (entry === undefined) {
      this.#reply('basic.get-empty', {})
      return
    }
    const { redelivered } = entry
    const message = queue.messageOf(entry)
    const { exchange, routingKey } = message
    const delivery = { entry, queue, consumer: undefined }
    const deliveryTag = values.noAck ? this.#unsettled.nextTag() : this.#unsettled.add(delivery)
    const got = { deliveryTag, redelivered, exchange, routingKey, messageCount: queue.readyCount }
    this.#host.sendContent(this.#id, 'basic.get-ok', got, queue.contentOf(entry, message))
    if (values.noAck) queue.acknowledge(entry)
  }

  #consume(values: MethodArguments<'basic.consume'>): void {
    const queue = namedQueue(this.#topology, values.queue)
    const tag = values.consumerTag === '' ? `amq.ctag-${crypto.randomUUID()}` : values.consumerTag
    const { noAck, exclusive } = values
    const { consumers: limit } = this.#host.broker.limits
    if (this.#consumers.has(tag)) throw new ProtocolError(530, `attempt to reuse consumer tag '${tag}'`)
    if (this.#consumers.size >= limit) throw new ProtocolError(506, `a channel takes at most ${limit} consumers`)
    if (queue.hasExclusiveConsumer || (exclusive && queue.consumerCount > 0)) {
      throw new ProtocolError(403, `queue '${queue.name}' in vhost '/' in exclusive use`)
    }
    const consumer = new Consumer({ tag, queue, noAck, exclusive, prefetch: this.#consumerPrefetch }, this)
    this.#consumers.set(tag, consumer)
    // The answer goes first: a client that got a delivery before it would not know whose it is.
    if (!values.noWait) this.#reply('basic.consume-ok', { consumerTag: tag })
    queue.addConsumer(consumer)
  }

  #cancel({ consumerTag, noWait }: MethodArguments<'basic.cancel'>): void {
    const consumer = this.#consumers.get(consumerTag)
    this.#consumers.delete(consumerTag)
    consumer?.queue.removeConsumer(consumer)
    if (!noWait) this.#reply('basic.cancel-ok', { consumerTag })
  }

  #qos({ prefetchSize, prefetchCount, global }: MethodArguments<'basic.qos'>): void {
    if (prefetchSize !== 0) throw new ProtocolError(540, `prefetch_size=${prefetchSize}: only prefetch_count works`)
    if (global) this.#channelPrefetch = prefetchCount
    else this.#consumerPrefetch = prefetchCount
    this.#reply('basic.qos-ok', {})
    if (global) this.dispatch()
  }

  #reply<Name extends MethodName>(name: Name, values: MethodArguments<Name>): void {
    this.#host.send(this.#id, name, values)
  }
}
