/** Work that holds one of the places; it must not reject, and must end soon once nobody needs it. */
type Task = () => Promise<void>

/** Lets a bounded number of calls run at once; of those that wait, the one with the lowest rank goes first. */
export class CallQueue {
  #free: number
  /** By rank, and by arrival within a rank. */
  readonly #waiting: { readonly rank: number; readonly task: Task }[] = []

  constructor(places: number) {
    this.#free = places
  }

  /** Runs the task as soon as a place is free. What a task adds before it ends competes for the place it leaves. */
  add(rank: number, task: Task): void {
    if (this.#free > 0) this.#run(task)
    else {
      const at = this.#waiting.findIndex((other) => other.rank > rank)
      this.#waiting.splice(at < 0 ? this.#waiting.length : at, 0, { rank, task })
    }
  }

  #run(task: Task): void {
    this.#free--
    task().finally(() => {
      this.#free++
      const next = this.#waiting.shift()
      if (next) this.#run(next.task)
    })
  }
}
