/** How long to measure. Everything is warmed up once, long enough for the compiler of Bun to have settled. */
export interface Plan {
  readonly warmUpSeconds: number
  readonly rounds: number
  readonly seconds: number
}

export const FULL: Plan = { warmUpSeconds: 8, rounds: 3, seconds: 5 }
export const QUICK: Plan = { warmUpSeconds: 1, rounds: 1, seconds: 2 }

/** One part of the benchmark. */
export interface Section {
  readonly title: string
  /** Programs it needs on the PATH. */
  readonly tools: readonly string[]
  /** Measures, and tells it in Markdown. What is not valid is not to be read. */
  run(plan: Plan): Promise<{ readonly text: string; readonly isValid: boolean }>
}
