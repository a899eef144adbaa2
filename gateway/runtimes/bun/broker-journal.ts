import type { Database } from 'bun:sqlite'
import type { StoredMessage } from '../../broker/storage.ts'
import type { Clock } from '../../core/clock.ts'
import type { BrokerStatements } from './broker-statements.ts'

type Written = (failure: Error | undefined) => void

/** How long after a failure the next attempt is made. */
const TRY_AGAIN_MS = 1_000

export interface BrokerJournalOptions {
  readonly database: Database
  readonly statements: BrokerStatements
  readonly clock: Clock
}

/**
 * What is to be written next. The changes of one turn of the event loop share one transaction and one sync of the disk,
 * which costs as much as hundreds of them. Changes that undo each other before they are written are not written at all,
 * so that what waits for a full disk cannot grow without end.
 */
export class BrokerJournal {
  onFailure: (failure: string | undefined) => void = () => {}
  readonly #options: BrokerJournalOptions
  /** Changes of exchanges, queues and bindings, in order. */
  #topology: (() => void)[] = []
  #messages = new Map<number, StoredMessage>()
  #dropped = new Set<number>()
  #returns = new Map<number, number>()
  #delivered = new Map<number, number>()
  #waiting: Written[] = []
  #isScheduled = false
  #cancelRetry: (() => void) | undefined
  #failure: string | undefined

  constructor(options: BrokerJournalOptions) {
    this.#options = options
  }

  get failure(): string | undefined {
    return this.#failure
  }

  change(change: () => void): void {
    this.#topology.push(change)
    this.#schedule()
  }

  keepMessage(stored: StoredMessage): void {
    this.#messages.set(stored.position, stored)
    this.#schedule()
  }

  dropMessage(position: number): void {
    this.#returns.delete(position)
    if (!this.#messages.delete(position)) this.#dropped.add(position)
    this.#schedule()
  }

  keepReturns(position: number, returns: number): void {
    this.#returns.set(position, returns)
    this.#schedule()
  }

  keepDelivered(queue: number, position: number): void {
    this.#delivered.set(queue, position)
    this.#schedule()
  }

  whenWritten(callback: Written): void {
    this.#waiting.push(callback)
    this.#schedule()
  }

  /** Writes what waits, now; throws when that fails. */
  flush(): void {
    // With nothing to write, success would not prove that a failure is over.
    const proves = !this.#isEmpty || this.#failure === undefined
    this.#try(() => this.#write())
    if (proves) this.#succeeded()
  }

  /** Gives up what could not be written. */
  end(): void {
    this.#cancelRetry?.()
    this.#cancelRetry = () => {}
  }

  get #isEmpty(): boolean {
    return (
      this.#topology.length + this.#messages.size + this.#dropped.size + this.#returns.size + this.#delivered.size === 0
    )
  }

  #schedule(): void {
    // After a failure the next attempt has been appointed already.
    if (this.#isScheduled || this.#cancelRetry !== undefined) return
    this.#isScheduled = true
    setImmediate(() => {
      this.#isScheduled = false
      if (this.#cancelRetry === undefined) this.#attempt()
    })
  }

  #attempt(): void {
    try {
      if (this.#failure !== undefined && this.#isEmpty) this.#probe()
      else this.flush()
    } catch {
      // Those who wait have been told, and the next attempt is appointed.
    }
  }

  #write(): void {
    if (this.#isEmpty) return
    const { statements } = this.#options
    this.#transact(() => {
      for (const change of this.#topology) change()
      // First, since it makes room for the others.
      for (const position of this.#dropped) statements.dropMessage.run(position)
      for (const { position, queue, message, expiresAt = null } of this.#messages.values()) {
        const { exchange, routingKey, properties, body, isPersistent } = message
        const flag = isPersistent ? 1 : 0
        statements.keepMessage.run(position, queue, exchange, routingKey, properties, flag, expiresAt, body)
      }
      for (const [position, returns] of this.#returns) statements.keepReturns.run(returns, position)
      for (const [queue, position] of this.#delivered) statements.keepDelivered.run(position, queue)
    })
    this.#topology = []
    for (const changes of [this.#messages, this.#returns, this.#dropped, this.#delivered]) changes.clear()
  }

  /** Writes more than a page and removes it again: a single page may fit where no message does. */
  #probe(): void {
    const { statements } = this.#options
    this.#try(() => {
      this.#transact(() => statements.fillProbe.run())
      this.#transact(() => statements.emptyProbe.run())
    })
    this.#succeeded()
  }

  #transact(run: () => unknown): void {
    const { database } = this.#options
    database.run('BEGIN IMMEDIATE')
    try {
      run()
      database.run('COMMIT')
    } catch (error) {
      if (database.inTransaction) database.run('ROLLBACK')
      throw error
    }
  }

  #try(run: () => void): void {
    try {
      run()
    } catch (error) {
      this.#failed(error instanceof Error ? error : new Error(String(error)))
      throw error
    }
  }

  #succeeded(): void {
    this.#cancelRetry?.()
    this.#cancelRetry = undefined
    this.#setFailure(undefined)
    this.#tell(undefined)
  }

  #failed(error: Error): void {
    this.#cancelRetry?.()
    this.#cancelRetry = this.#options.clock.after(TRY_AGAIN_MS, () => {
      this.#cancelRetry = undefined
      this.#attempt()
    })
    this.#setFailure(error.message)
    this.#tell(error)
  }

  #setFailure(failure: string | undefined): void {
    if (failure === this.#failure) return
    this.#failure = failure
    this.onFailure(failure)
  }

  #tell(failure: Error | undefined): void {
    const waiting = this.#waiting
    if (waiting.length === 0) return
    this.#waiting = []
    queueMicrotask(() => {
      for (const written of waiting) written(failure)
    })
  }
}
