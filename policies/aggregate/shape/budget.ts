import type { Clock } from '../../../gateway/core/clock.ts'
import { isFunction } from './write-json.ts'

/** Steps of one evaluation; a step takes a microsecond or two of CPU. */
const MAX_STEPS = 50_000
/** Values that steps give, lists and texts by their length: what a function that walks them has to do. */
const MAX_WORK = 4_000_000
/** Room of one value as a text, what it holds several times counted each time. */
const MAX_WEIGHT = 8_388_608
/** Longest evaluation, others that run meanwhile included; some runtimes let no time pass while code runs. */
const MAX_MS = 1_000
const STEPS_BETWEEN_LOOKS = 64

/** An evaluation was given up. */
export class BudgetSpent extends Error {
  override readonly name = 'BudgetSpent'
}

/** The budget of the evaluation that an environment belongs to. */
export type BudgetOf = (environment: object) => Budget

/** What one evaluation may cost; each step and its value are counted. */
export class Budget {
  readonly #clock: Clock
  readonly #startedAt: number
  readonly #weights = new WeakMap<object, number>()
  #steps = 0
  #work = 0

  constructor(clock: Clock) {
    this.#clock = clock
    this.#startedAt = clock.monotonic()
  }

  step(): void {
    if (++this.#steps > MAX_STEPS) throw new BudgetSpent(`it takes more than ${MAX_STEPS} steps`)
    if (this.#steps % STEPS_BETWEEN_LOOKS === 0) this.#look()
  }

  /** Counts the call of a function, as a step, and what it is given; one call can take far longer than one step. */
  call(given: readonly unknown[]): void {
    this.step()
    this.#look()
    for (const value of given) this.count(value)
  }

  #look(): void {
    if (this.#clock.monotonic() - this.#startedAt > MAX_MS) throw new BudgetSpent(`it takes more than ${MAX_MS} ms`)
  }

  /** Counts the value of a step. */
  count(value: unknown): void {
    if (typeof value === 'string') this.#spend(value.length / 16)
    else if (typeof value === 'object' && value !== null) {
      if (Array.isArray(value)) this.#spend(value.length)
      this.#weigh(value)
    } else return
    this.allow(typeof value === 'string' ? value.length : 0)
  }

  /** Refuses a text of so many characters before it is made. */
  allow(characters: number): void {
    if (characters > MAX_WEIGHT) throw new BudgetSpent(`a value would have more than ${MAX_WEIGHT} characters`)
  }

  #spend(work: number): void {
    this.#work += work
    if (this.#work > MAX_WORK) throw new BudgetSpent('it walks too much of too long lists and texts')
  }

  /** A value that holds another twice is as heavy as its text would be, so that comparing and writing it is bounded. */
  #weigh(value: unknown): number {
    if (typeof value === 'string') return value.length
    if (typeof value !== 'object' || value === null) return 1
    const known = this.#weights.get(value)
    if (known !== undefined) return known
    // Functions hold environments, which are no values.
    if (isFunction(value)) return 1
    this.#weights.set(value, 1)
    let weight = 2
    for (const inner of Array.isArray(value) ? value : Object.values(value)) {
      this.#spend(1)
      weight += 1 + this.#weigh(inner)
    }
    this.allow(weight)
    this.#weights.set(value, weight)
    return weight
  }
}
