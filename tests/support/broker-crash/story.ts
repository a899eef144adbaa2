/** What was seen from outside while a broker was killed again and again. Messages are numbered as they were published. */
export interface Story {
  /** How often each number was published: again after each lost connection, as long as it was not confirmed. */
  readonly published: ReadonlyMap<number, number>
  readonly confirmed: ReadonlySet<number>
  /** By queue, in the order of arrival. */
  readonly delivered: Readonly<Record<string, readonly Delivered[]>>
  /** Numbers of the dead letters, in order. */
  readonly deadLetters: readonly number[]
}

export interface Delivered {
  readonly number: number
  readonly redelivered: boolean
}

/** Every tenth message is rejected by the consumer of the queue with dead letters. */
export const isDoomed = (number: number): boolean => number % 10 === 0

/** What a broker that keeps its promises has none of; numbers of messages, by kind. */
export interface Anomalies {
  /** Confirmed, and not delivered from a queue. */
  readonly lost: readonly number[]
  /** Delivered for the first time after a later one. */
  readonly outOfOrder: readonly number[]
  /** Published once, delivered again, and not marked as redelivered. */
  readonly unmarked: readonly number[]
  /** Confirmed, rejected, and in the dead letters not at all, or more often than it was published. */
  readonly wrongDeaths: readonly number[]
}

export function anomaliesOf({ published, confirmed, delivered, deadLetters }: Story): Anomalies {
  const deliveries = Object.values(delivered)
  const deaths = Map.groupBy(deadLetters, (number) => number)
  const deathsOf = (number: number) => deaths.get(number)?.length ?? 0
  return {
    lost: deliveries.flatMap((queue) => {
      const seen = new Set(queue.map(({ number }) => number))
      return [...confirmed].filter((number) => !seen.has(number))
    }),
    outOfOrder: deliveries.flatMap(firstsOutOfOrder),
    unmarked: deliveries.flatMap((queue) => repeatsWithoutMark(queue, published)),
    wrongDeaths: [...published].flatMap(([number, times]) => {
      const count = deathsOf(number)
      const least = confirmed.has(number) && isDoomed(number) ? 1 : 0
      return count < least || count > (isDoomed(number) ? times : 0) ? [number] : []
    }),
  }
}

function firstsOutOfOrder(queue: readonly Delivered[]): number[] {
  const seen = new Set<number>()
  let highest = 0
  return queue.flatMap(({ number }) => {
    const isFirst = !seen.has(number)
    seen.add(number)
    const isLate = isFirst && number < highest
    highest = Math.max(highest, number)
    return isLate ? [number] : []
  })
}

function repeatsWithoutMark(queue: readonly Delivered[], published: ReadonlyMap<number, number>): number[] {
  const seen = new Set<number>()
  return queue.flatMap(({ number, redelivered }) => {
    const isRepeat = seen.has(number)
    seen.add(number)
    return isRepeat && !redelivered && published.get(number) === 1 ? [number] : []
  })
}
