import { Budget } from './budget.ts'
import type { BrokerLimits } from './limits.ts'

/** From this share of a limit on publishers are asked to pause: what they have sent by then still fits. */
const PAUSE_AT = 0.95
/** Below it they may go on. */
const RESUME_AT = 0.8
/** From this share of memory on, messages that are on the disk leave it. */
const CROWDED_AT = 0.25

/** The room for messages, in memory and on the disk, and whether publishers should pause because it runs out. */
export class Room {
  /** What is held in memory: whole messages, and what is known of those that are on the disk only. */
  readonly memory: Budget
  /** Messages on the disk. */
  readonly disk: Budget
  readonly #listeners = new Set<() => void>()
  #failure: string | undefined
  #pauseReason: string | undefined

  constructor(limits: BrokerLimits) {
    this.memory = new Budget(limits.memoryBytes, () => this.#review(PAUSE_AT))
    this.disk = new Budget(limits.diskBytes, () => this.#review(PAUSE_AT))
  }

  /** Why publishers should pause; undefined while they may publish. */
  get pauseReason(): string | undefined {
    return this.#pauseReason
  }

  /** Whether messages that are on the disk should leave memory, to keep room for what is known of them. */
  get isCrowded(): boolean {
    return this.memory.share > CROWDED_AT
  }

  /** Calls `listener` whenever `pauseReason` has changed, until the returned function is called. */
  watch(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => {
      this.#listeners.delete(listener)
    }
  }

  /** Something was refused for want of room: a warning is due even before the usual share is reached. */
  refused(): void {
    this.#review(RESUME_AT)
  }

  /** Why nothing can be stored, or that it can again. */
  setFailure(failure: string | undefined): void {
    this.#failure = failure
    this.#review(PAUSE_AT)
  }

  #review(pauseAt: number): void {
    const threshold = this.#pauseReason === undefined ? pauseAt : RESUME_AT
    const reason = this.#failure ?? this.#shortage(threshold)
    if (reason === this.#pauseReason) return
    this.#pauseReason = reason
    for (const listener of [...this.#listeners]) listener()
  }

  /** In the words RabbitMQ uses. */
  #shortage(threshold: number): string | undefined {
    if (this.memory.share >= threshold) return 'low on memory'
    return this.disk.share >= threshold ? 'low on disk' : undefined
  }
}
