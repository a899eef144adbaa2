import { Exchange, type ExchangeDeclaration } from './exchange.ts'
import type { BrokerLimits } from './limits.ts'
import type { Message } from './message.ts'
import { ProtocolError } from './protocol-error.ts'
import type { Queue, QueueDeclaration } from './queue.ts'
import { assertSame, assertSameSettings } from './queue-settings.ts'
import { writeNow } from './shelf.ts'
import type { BrokerStorage, StoredBroker } from './storage.ts'

export interface TopologyOptions {
  readonly limits: BrokerLimits
  readonly storage: BrokerStorage | undefined
  /** Makes a queue; `stored` is what to keep it under when it outlives the broker. */
  readonly createQueue: (declaration: QueueDeclaration, stored: QueueNumber | undefined) => Queue
  /** A number greater than any before. */
  readonly nextNumber: () => number
}

/** What a queue is stored under. */
export interface QueueNumber {
  readonly id: number
  readonly deliveredTo: number
}

const PREDECLARED = ['direct', 'fanout', 'topic'] as const

/**
 * Exchanges, queues and bindings. What is durable is on the disk before a declaration returns; one that cannot be stored
 * is refused with 506. Other refusals are `ProtocolError`s with the codes RabbitMQ uses.
 */
export class Topology {
  readonly #options: TopologyOptions
  readonly #exchanges = new Map<string, Exchange>()
  readonly #queues = new Map<string, Queue>()
  /** Numbers of the queues that are stored. */
  readonly #numbers = new Map<Queue, number>()
  #bindings = 0

  constructor(options: TopologyOptions) {
    this.#options = options
    for (const type of PREDECLARED) {
      const name = `amq.${type}`
      this.#exchanges.set(name, new Exchange({ name, type, durable: true, autoDelete: false, internal: false }))
    }
  }

  get exchangeCount(): number {
    return this.#exchanges.size
  }

  get queues(): readonly Queue[] {
    return [...this.#queues.values()]
  }

  /** Takes over what an earlier broker has left, without its messages; returns its queues by their numbers. */
  restore({ exchanges, queues, bindings }: StoredBroker): ReadonlyMap<number, Queue> {
    const byNumber = new Map<number, Queue>()
    for (const declaration of exchanges) this.#exchanges.set(declaration.name, new Exchange(declaration))
    for (const { id, declaration, deliveredTo } of queues) {
      const queue = this.#options.createQueue(declaration, { id, deliveredTo })
      this.#queues.set(queue.name, queue)
      this.#numbers.set(queue, id)
      byNumber.set(id, queue)
    }
    for (const { exchange, queue, routingKey } of bindings) {
      const name = byNumber.get(queue)?.name
      if (name !== undefined && this.#exchanges.get(exchange)?.bind(name, routingKey)) this.#bindings += 1
    }
    return byNumber
  }

  /** The exchange of that name, or 404 NOT_FOUND. */
  exchange(name: string): Exchange {
    const exchange = this.#exchanges.get(name)
    if (exchange === undefined) throw new ProtocolError(404, `no exchange '${name}' in vhost '/'`)
    return exchange
  }

  /** Creates an exchange, or makes sure that the one there is the same. */
  declareExchange(declaration: ExchangeDeclaration): void {
    const { name } = declaration
    const current = this.#exchanges.get(name)?.declaration
    if (current !== undefined) {
      const what = `exchange '${name}'`
      assertSame(what, 'type', current.type, declaration.type)
      assertSame(what, 'durable', current.durable, declaration.durable)
      assertSame(what, 'auto_delete', current.autoDelete, declaration.autoDelete)
      assertSame(what, 'internal', current.internal, declaration.internal)
      return
    }
    if (name.startsWith('amq.')) throw new ProtocolError(403, `exchange name '${name}' has the reserved prefix 'amq.'`)
    this.#assertRoom('exchanges', this.#exchanges.size)
    if (declaration.durable) this.#assertWritable(`exchange '${name}'`)
    this.#exchanges.set(name, new Exchange(declaration))
    if (!declaration.durable) return
    this.#options.storage?.keepExchange(declaration)
    this.#write(`exchange '${name}'`, () => this.#removeExchange(declaration))
  }

  /** Deletes an exchange with its bindings; one that is not there is no mistake. */
  deleteExchange(name: string, { ifUnused }: { readonly ifUnused: boolean }): void {
    if (name.startsWith('amq.')) throw new ProtocolError(403, `exchange '${name}' in vhost '/' cannot be deleted`)
    const exchange = this.#exchanges.get(name)
    if (exchange === undefined) return
    if (ifUnused && exchange.hasBindings) throw new ProtocolError(406, `exchange '${name}' in vhost '/' in use`)
    this.#bindings -= exchange.bindingCount()
    this.#removeExchange(exchange.declaration)
    writeNow(this.#options.storage)
  }

  /** The queue of that name: 404 NOT_FOUND without one, 405 RESOURCE_LOCKED when another connection owns it. */
  queue(name: string, caller: object): Queue {
    const queue = this.#queues.get(name)
    if (queue === undefined) throw new ProtocolError(404, `no queue '${name}' in vhost '/'`)
    const { owner } = queue.declaration
    if (owner !== undefined && owner !== caller) {
      throw new ProtocolError(405, `cannot obtain exclusive access to locked queue '${name}' in vhost '/'`)
    }
    return queue
  }

  hasQueue(name: string): boolean {
    return this.#queues.has(name)
  }

  /** Creates a queue, or makes sure that the one there is the same. */
  declareQueue(declaration: QueueDeclaration, caller: object): Queue {
    const { name, settings, durable, owner } = declaration
    if (this.#queues.has(name)) {
      const queue = this.queue(name, caller)
      const current = queue.declaration
      const what = `queue '${name}'`
      assertSame(what, 'durable', current.durable, durable)
      assertSame(what, 'auto_delete', current.autoDelete, declaration.autoDelete)
      assertSame(what, 'exclusive', current.owner !== undefined, owner !== undefined)
      assertSameSettings(name, current.settings, settings)
      return queue
    }
    this.#assertRoom('queues', this.#queues.size)
    // An exclusive queue ends with its connection, which ends with the broker at the latest.
    const isStored = durable && owner === undefined && this.#options.storage !== undefined
    if (isStored) this.#assertWritable(`queue '${name}'`)
    const stored = isStored ? { id: this.#options.nextNumber(), deliveredTo: 0 } : undefined
    const queue = this.#options.createQueue(declaration, stored)
    this.#queues.set(name, queue)
    if (stored === undefined) return queue
    this.#numbers.set(queue, stored.id)
    this.#options.storage?.keepQueue(stored.id, declaration)
    this.#write(`queue '${name}'`, () => this.deleteQueue(queue))
    return queue
  }

  /** Deletes a queue with its messages and bindings; returns how many messages were ready. */
  deleteQueue(queue: Queue): number {
    if (this.#queues.get(queue.name) !== queue) return 0
    this.#queues.delete(queue.name)
    const id = this.#numbers.get(queue)
    if (id !== undefined) this.#options.storage?.dropQueue(id)
    this.#numbers.delete(queue)
    for (const exchange of this.#exchanges.values()) {
      const removed = exchange.forget(queue.name)
      this.#bindings -= removed
      if (removed > 0) this.#deleteIfUnused(exchange)
    }
    return queue.delete()
  }

  /** Deletes the exclusive queues of a connection that is gone. */
  releaseOwner(owner: object): void {
    for (const queue of this.queues) if (queue.declaration.owner === owner) this.deleteQueue(queue)
  }

  bind(queue: Queue, exchangeName: string, routingKey: string): void {
    const exchange = this.exchange(exchangeName)
    this.#assertRoom('bindings', this.#bindings)
    const what = `a binding of queue '${queue.name}'`
    const number = exchange.declaration.durable ? this.#numbers.get(queue) : undefined
    if (number !== undefined) this.#assertWritable(what)
    if (!exchange.bind(queue.name, routingKey)) return
    this.#bindings += 1
    if (number === undefined) return
    this.#options.storage?.keepBinding({ exchange: exchangeName, queue: number, routingKey })
    this.#write(what, () => this.unbind(queue.name, exchangeName, routingKey))
  }

  /** Removes a binding; one that is not there is no mistake. */
  unbind(queueName: string, exchangeName: string, routingKey: string): void {
    const exchange = this.#exchanges.get(exchangeName)
    if (!exchange?.unbind(queueName, routingKey)) return
    this.#bindings -= 1
    const queue = this.#queues.get(queueName)
    const number = queue === undefined ? undefined : this.#numbers.get(queue)
    if (number !== undefined) {
      this.#options.storage?.dropBinding({ exchange: exchangeName, queue: number, routingKey })
      writeNow(this.#options.storage)
    }
    this.#deleteIfUnused(exchange)
  }

  /** The queues a message goes to. */
  route({ exchange, routingKey }: Message): Queue[] {
    const names = exchange === '' ? [routingKey] : (this.#exchanges.get(exchange)?.route(routingKey) ?? [])
    return [...names].flatMap((name) => this.#queues.get(name) ?? [])
  }

  #deleteIfUnused({ declaration, hasBindings }: Exchange): void {
    if (declaration.autoDelete && !hasBindings) this.#removeExchange(declaration)
  }

  #removeExchange({ name, durable }: ExchangeDeclaration): void {
    this.#exchanges.delete(name)
    if (durable) this.#options.storage?.dropExchange(name)
  }

  /** While the disk takes nothing, nothing is noted that would be taken back at once. */
  #assertWritable(what: string): void {
    const failure = this.#options.storage?.failure
    if (failure !== undefined) throw new ProtocolError(506, `cannot store ${what}: ${failure}`)
  }

  #write(what: string, undo: () => void): void {
    try {
      this.#options.storage?.flush()
    } catch (error) {
      undo()
      const reason = error instanceof Error ? error.message : String(error)
      throw new ProtocolError(506, `cannot store ${what}: ${reason}`)
    }
  }

  #assertRoom(what: 'exchanges' | 'queues' | 'bindings', count: number): void {
    const limit = this.#options.limits[what]
    if (count >= limit) throw new ProtocolError(506, `the embedded broker keeps at most ${limit} ${what}: delete some`)
  }
}
