/** Work that holds one of the places; it must not reject. */
type Task = () => Promise<void>

interface Waiting {
  readonly rank: number
  readonly task: Task
  readonly signal: AbortSignal
  readonly leave: () => void
}

/** Lets a bounded number of calls run at once; of those that wait, the one with the lowest rank goes first. */
export class CallQueue {
  #free: number
  /** By rank, and by arrival within a rank. */
  readonly #waiting: Waiting[] = []

  constructor(places: number) {
    this.#free = places
  }

  /**
   * Runs the task as soon as a place is free, and without one when `signal` aborts, as it has nothing left to do then but
   * to end. What a task adds before it ends competes for the place it leaves.
   */
  add(rank: number, signal: AbortSignal, task: Task): void {
    if (signal.aborted) void task()
    else if (this.#free > 0) this.#run(task)
    else this.#wait(rank, signal, task)
  }

  #wait(rank: number, signal: AbortSignal, task: Task): void {
    const waiting: Waiting = { rank, task, signal, leave: () => this.#leave(waiting) }
    const at = this.#waiting.findIndex((other) => other.rank > rank)
    this.#waiting.splice(at < 0 ? this.#waiting.length : at, 0, waiting)
    signal.addEventListener('abort', waiting.leave, { once: true })
  }

  #run(task: Task): void {
    this.#free--
    task().finally(() => {
      this.#free++
      const next = this.#waiting.shift()
      if (!next) return
      next.signal.removeEventListener('abort', next.leave)
      this.#run(next.task)
    })
  }

  #leave(waiting: Waiting): void {
    this.#waiting.splice(this.#waiting.indexOf(waiting), 1)
    void waiting.task()
  }
}
