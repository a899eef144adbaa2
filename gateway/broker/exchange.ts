import { matchesTopic } from '../core/topic.ts'

export type ExchangeType = 'direct' | 'fanout' | 'topic'

/** What an exchange is declared as; declaring it again must say the same. */
export interface ExchangeDeclaration {
  readonly name: string
  readonly type: ExchangeType
  /** Whether it outlives the broker, when the broker has a storage. */
  readonly durable: boolean
  readonly autoDelete: boolean
  /** Only dead letters may enter it, no publisher. */
  readonly internal: boolean
}

/** Decides which queues, by name, get a message. */
export class Exchange {
  readonly declaration: ExchangeDeclaration
  readonly #queuesByKey = new Map<string, Set<string>>()

  constructor(declaration: ExchangeDeclaration) {
    this.declaration = declaration
  }

  get hasBindings(): boolean {
    return this.#queuesByKey.size > 0
  }

  /** Returns whether the binding is new. */
  bind(queue: string, routingKey: string): boolean {
    const queues = this.#queuesByKey.get(routingKey) ?? new Set()
    this.#queuesByKey.set(routingKey, queues)
    const isNew = !queues.has(queue)
    queues.add(queue)
    return isNew
  }

  /** Returns whether there was such a binding. */
  unbind(queue: string, routingKey: string): boolean {
    const queues = this.#queuesByKey.get(routingKey)
    if (!queues?.delete(queue)) return false
    if (queues.size === 0) this.#queuesByKey.delete(routingKey)
    return true
  }

  /** Removes all bindings of a queue and returns how many there were. */
  forget(queue: string): number {
    return [...this.#queuesByKey.keys()].filter((routingKey) => this.unbind(queue, routingKey)).length
  }

  bindingCount(): number {
    return [...this.#queuesByKey.values()].reduce((sum, queues) => sum + queues.size, 0)
  }

  /** The names of the queues a message with this key goes to, each once however many bindings match. */
  route(routingKey: string): ReadonlySet<string> {
    if (this.declaration.type === 'direct') return this.#queuesByKey.get(routingKey) ?? new Set()
    const matched = new Set<string>()
    for (const [key, queues] of this.#queuesByKey) {
      if (this.declaration.type === 'topic' && !matchesTopic(key, routingKey)) continue
      for (const queue of queues) matched.add(queue)
    }
    return matched
  }
}
