/** Work that holds one of the places from its start until it calls `leave`, once; soon after nobody needs it any more. */
export interface Task {
  /** Of those that wait, the one with the lowest goes first. */
  readonly rank: number
  start(): void
}

/** Lets a bounded number of calls run at once. */
export class CallQueue {
  #free: number
  /** By rank, and by arrival within a rank. */
  readonly #waiting: Task[] = []
  #isStarting = false
  #holds = 0

  constructor(places: number) {
    this.#free = places
  }

  /** Starts the task as soon as a place is free. What a task adds before it leaves competes for its place. */
  add(task: Task): void {
    if (this.#free > 0 && this.#waiting.length === 0 && this.#holds === 0) this.#begin(task)
    else {
      this.#line(task)
      this.#start()
    }
  }

  /** A task is over. */
  leave(): void {
    this.#free++
    if (this.#waiting.length > 0) this.#start()
  }

  /** Nothing begins before `release`, so that all that is added until then competes, whatever is added first. */
  hold(): void {
    this.#holds++
  }

  /** Ends one `hold`. */
  release(): void {
    if (--this.#holds === 0 && this.#waiting.length > 0) this.#start()
  }

  /** Most come in the order of their ranks, so the search begins at the end. */
  #line(task: Task): void {
    let at = this.#waiting.length
    while (at > 0 && (this.#waiting[at - 1]?.rank ?? 0) > task.rank) at--
    if (at === this.#waiting.length) this.#waiting.push(task)
    else this.#waiting.splice(at, 0, task)
  }

  /** In a loop, because tasks that are over at once would else start each other ever deeper. */
  #start(): void {
    if (this.#isStarting || this.#holds > 0) return
    this.#isStarting = true
    while (this.#free > 0) {
      const next = this.#waiting.shift()
      if (!next) break
      this.#begin(next)
    }
    this.#isStarting = false
  }

  #begin(task: Task): void {
    this.#free--
    task.start()
  }
}
