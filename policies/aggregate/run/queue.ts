/** Work that holds one of the places until it calls `leave`, once; soon after nobody needs it any more. */
export type Task = (leave: () => void) => void

/** Lets a bounded number of calls run at once; of those that wait, the one with the lowest rank goes first. */
export class CallQueue {
  #free: number
  /** By rank, and by arrival within a rank. */
  readonly #waiting: { readonly rank: number; readonly task: Task }[] = []
  #isStarting = false
  #holds = 0

  constructor(places: number) {
    this.#free = places
  }

  /** Runs the task as soon as a place is free. What a task adds before it leaves competes for its place. */
  add(rank: number, task: Task): void {
    if (this.#free > 0 && this.#waiting.length === 0 && this.#holds === 0) this.#run(task)
    else {
      const at = this.#waiting.findIndex((other) => other.rank > rank)
      this.#waiting.splice(at < 0 ? this.#waiting.length : at, 0, { rank, task })
      this.#start()
    }
  }

  /** Nothing begins before `release`, so that all that is added until then competes, whatever is added first. */
  hold(): void {
    this.#holds++
  }

  /** Ends one `hold`. */
  release(): void {
    if (--this.#holds === 0 && this.#waiting.length > 0) this.#start()
  }

  readonly #leave = (): void => {
    this.#free++
    if (this.#waiting.length > 0) this.#start()
  }

  /** In a loop, because tasks that are over at once would else start each other ever deeper. */
  #start(): void {
    if (this.#isStarting || this.#holds > 0) return
    this.#isStarting = true
    while (this.#free > 0) {
      const next = this.#waiting.shift()
      if (!next) break
      this.#run(next.task)
    }
    this.#isStarting = false
  }

  #run(task: Task): void {
    this.#free--
    task(this.#leave)
  }
}
