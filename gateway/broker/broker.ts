import type { Clock } from '../core/clock.ts'
import { type DeathReason, deathsIn, isEndlessCircle, MOST_DEATHS, toDeadLetter } from './dead-letter.ts'
import { Exchange, type ExchangeDeclaration } from './exchange.ts'
import { type BrokerLimits, DEFAULT_LIMITS } from './limits.ts'
import { MemoryBudget } from './memory-budget.ts'
import { type Message, storedBytesOf } from './message.ts'
import { ProtocolError } from './protocol-error.ts'
import { Queue, type QueueDeclaration } from './queue.ts'
import { assertSame, assertSameSettings } from './queue-settings.ts'

/** What became of a published message. `refused` means that it is stored nowhere and must not be confirmed. */
export type PublishOutcome = 'stored' | 'unroutable' | 'refused'

/** Numbers for operators. */
export interface BrokerStats {
  readonly exchanges: number
  readonly queues: number
  /** Messages that wait for a consumer. */
  readonly ready: number
  /** Messages delivered and not acknowledged yet. */
  readonly unsettled: number
  /** Octets held for messages, and for those still arriving. */
  readonly storedBytes: number
}

export interface BrokerOptions {
  readonly clock: Clock
  readonly limits?: Partial<BrokerLimits>
}

interface Letter {
  readonly queue: Queue
  readonly message: Message
  readonly reason: DeathReason
}

const PREDECLARED = ['direct', 'fanout', 'topic'] as const

/**
 * Exchanges, queues and the messages in them, kept in memory. It knows no connections: sessions call it, and queues call
 * their consumers back. Refusals are `ProtocolError`s with the codes RabbitMQ uses.
 */
export class Broker {
  readonly clock: Clock
  readonly limits: BrokerLimits
  readonly budget: MemoryBudget
  readonly #exchanges = new Map<string, Exchange>()
  readonly #queues = new Map<string, Queue>()
  readonly #letters: Letter[] = []
  #bindings = 0
  #isDelivering = false

  constructor({ clock, limits }: BrokerOptions) {
    this.clock = clock
    this.limits = { ...DEFAULT_LIMITS, ...limits }
    this.budget = new MemoryBudget(this.limits.storedBytes)
    for (const type of PREDECLARED) {
      const name = `amq.${type}`
      this.#exchanges.set(name, new Exchange({ name, type, durable: true, autoDelete: false, internal: false }))
    }
  }

  stats(): BrokerStats {
    const queues = [...this.#queues.values()]
    return {
      exchanges: this.#exchanges.size,
      queues: queues.length,
      ready: queues.reduce((sum, queue) => sum + queue.readyCount, 0),
      unsettled: queues.reduce((sum, queue) => sum + queue.unsettledCount, 0),
      storedBytes: this.budget.usedBytes,
    }
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
    this.#exchanges.set(name, new Exchange(declaration))
  }

  /** Deletes an exchange with its bindings; one that is not there is no mistake. */
  deleteExchange(name: string, { ifUnused }: { readonly ifUnused: boolean }): void {
    if (name.startsWith('amq.')) throw new ProtocolError(403, `exchange '${name}' in vhost '/' cannot be deleted`)
    const exchange = this.#exchanges.get(name)
    if (exchange === undefined) return
    if (ifUnused && exchange.hasBindings) throw new ProtocolError(406, `exchange '${name}' in vhost '/' in use`)
    this.#bindings -= exchange.bindingCount()
    this.#exchanges.delete(name)
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
    const { name, settings } = declaration
    if (this.#queues.has(name)) {
      const queue = this.queue(name, caller)
      const current = queue.declaration
      const what = `queue '${name}'`
      assertSame(what, 'durable', current.durable, declaration.durable)
      assertSame(what, 'auto_delete', current.autoDelete, declaration.autoDelete)
      assertSame(what, 'exclusive', current.owner !== undefined, declaration.owner !== undefined)
      assertSameSettings(name, current.settings, settings)
      return queue
    }
    this.#assertRoom('queues', this.#queues.size)
    const queue = new Queue(declaration, {
      clock: this.clock,
      budget: this.budget,
      deadLetter: (from, message, reason) => this.#deadLetter({ queue: from, message, reason }),
      unused: (unused) => this.deleteQueue(unused),
    })
    this.#queues.set(name, queue)
    return queue
  }

  /** Deletes a queue with its messages and bindings; returns how many messages were ready. */
  deleteQueue(queue: Queue): number {
    if (this.#queues.get(queue.name) !== queue) return 0
    this.#queues.delete(queue.name)
    for (const exchange of this.#exchanges.values()) {
      const removed = exchange.forget(queue.name)
      this.#bindings -= removed
      if (removed > 0) this.#deleteIfUnused(exchange)
    }
    return queue.delete()
  }

  /** Deletes the exclusive queues of a connection that is gone. */
  releaseOwner(owner: object): void {
    for (const queue of [...this.#queues.values()]) {
      if (queue.declaration.owner === owner) this.deleteQueue(queue)
    }
  }

  bind(queue: Queue, exchangeName: string, routingKey: string): void {
    const exchange = this.exchange(exchangeName)
    this.#assertRoom('bindings', this.#bindings)
    if (exchange.bind(queue.name, routingKey)) this.#bindings += 1
  }

  /** Removes a binding; one that is not there is no mistake. */
  unbind(queue: string, exchangeName: string, routingKey: string): void {
    const exchange = this.#exchanges.get(exchangeName)
    if (!exchange?.unbind(queue, routingKey)) return
    this.#bindings -= 1
    this.#deleteIfUnused(exchange)
  }

  /** Stores a message in every queue its exchange routes it to: in all of them or, when one is full, in none. */
  publish(message: Message): PublishOutcome {
    if (message.exchange !== '' && this.exchange(message.exchange).declaration.internal) {
      throw new ProtocolError(403, `cannot publish to internal exchange '${message.exchange}' in vhost '/'`)
    }
    const queues = this.#route(message)
    if (queues.length === 0) return 'unroutable'
    if (!this.budget.fits(storedBytesOf(message) * queues.length)) return 'refused'
    if (!queues.every((queue) => queue.accepts)) return 'refused'
    for (const queue of queues) queue.enqueue(message)
    return 'stored'
  }

  #route({ exchange, routingKey }: Message): Queue[] {
    const names = exchange === '' ? [routingKey] : (this.#exchanges.get(exchange)?.route(routingKey) ?? [])
    return [...names].flatMap((name) => this.#queues.get(name) ?? [])
  }

  /** Dead letters are delivered one after the other, never from within each other, so that a long chain costs no stack. */
  #deadLetter(letter: Letter): void {
    if (letter.queue.declaration.settings['x-dead-letter-exchange'] === undefined) return
    this.#letters.push(letter)
    if (this.#isDelivering) return
    this.#isDelivering = true
    try {
      for (let next = this.#letters.shift(); next !== undefined; next = this.#letters.shift()) this.#deliver(next)
    } finally {
      this.#isDelivering = false
    }
  }

  /** A dead letter takes the room its message just left, so the memory limit does not stop it. */
  #deliver({ queue, message, reason }: Letter): void {
    const { 'x-dead-letter-exchange': exchange = '', 'x-dead-letter-routing-key': routingKey = message.routingKey } =
      queue.declaration.settings
    const death = { queue: queue.name, reason, at: this.clock.now() }
    const letter = toDeadLetter(message, death, { exchange, routingKey })
    const deaths = deathsIn(letter)
    if (deaths.length > MOST_DEATHS) return
    for (const target of this.#route(letter)) {
      if (reason === 'rejected' || !isEndlessCircle(target.name, deaths)) target.enqueue(letter)
    }
  }

  #deleteIfUnused(exchange: Exchange): void {
    const { name, autoDelete } = exchange.declaration
    if (autoDelete && !exchange.hasBindings) this.#exchanges.delete(name)
  }

  #assertRoom(what: 'exchanges' | 'queues' | 'bindings', count: number): void {
    const limit = this.limits[what]
    if (count >= limit) throw new ProtocolError(506, `the embedded broker keeps at most ${limit} ${what}: delete some`)
  }
}
