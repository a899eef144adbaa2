import type { AMQPMessage } from '@cloudamqp/amqp-client'
import { type Clock, sleep } from '../core/clock.ts'
import {
  type DeadLetter,
  type DeadLetterDetail,
  type DeadLetterOperations,
  OperationRefused,
  type Tally,
} from '../core/operations.ts'
import { readRefusal } from './broker-refusal.ts'
import { type DeadMessage, readDeadLetter } from './dead-letter.ts'
import { createOnChannel } from './dead-letter-channel.ts'
import { detailOf } from './dead-letter-detail.ts'
import { createSender } from './dead-letter-sender.ts'
import { keepConnection } from './kept-connection.ts'

export interface AmqpDeadLettersOptions {
  /** URL of the broker; holds its password. */
  readonly url: string
  /** Names of the queues of dead letters. */
  readonly queues: readonly string[]
  readonly clock: Clock
  /** Told of each letter that was given up, once the broker has taken it off. */
  readonly onDiscard?: (letter: DeadLetter) => void
}

/** Dead letters on a broker, over one connection that is made when it is first needed. */
export interface AmqpDeadLetters extends DeadLetterOperations {
  /** How many messages a queue holds; undefined when the broker has no such queue. */
  count(queue: string): Promise<number | undefined>
  close(): Promise<void>
}

/** The most of a queue that is held back, from it and in memory, while it is searched. */
const MOST_SEARCHED = 10_000
const MOST_BYTES = 64 * 1_048_576
/**
 * How many letters of a queue are fetched for a list, however few are shown: RabbitMQ puts what is given back behind
 * what was given back earlier, so that only a look at all of them leaves their order as it was.
 */
const LEAST_LOOKED_AT = 1_000
const GIVEN_BACK_MS = 2_000
/** An event dies in as many queues as it went to; an empty id may be shared by many. */
const MOST_SHOWN = 10

/**
 * Looks at dead letters by fetching them and giving them back, in their order, when the channel closes. A replay sends a
 * letter to the queue it died in, with its own id and a clean slate, and takes it off once the broker has confirmed it:
 * what a crash or a second run repeats, consumers know by its id.
 */
export function createAmqpDeadLetters({ url, queues, clock, onDiscard }: AmqpDeadLettersOptions): AmqpDeadLetters {
  const kept = keepConnection(url, clock)
  const onChannel = createOnChannel(kept)
  let turn: Promise<unknown> = Promise.resolve()

  function count(queue: string): Promise<number | undefined> {
    return onChannel(queue, async ({ raw, ask }) => {
      try {
        return (await ask(raw.queueDeclare(queue, { passive: true }))).messageCount
      } catch (error) {
        if (readRefusal(error)?.code === 404) return undefined
        throw error
      }
    })
  }

  /**
   * Hands the letters of a queue to `each`, oldest first, until all that lay there have been seen or `most` are held
   * back. What `each` has not taken is back in the queue when this resolves.
   */
  async function read(
    queue: string,
    most: number,
    each: (message: DeadMessage, take: () => Promise<void>) => Promise<'kept' | 'taken'>,
  ): Promise<void> {
    const messages = (await count(queue)) ?? 0
    let [held, bytes] = [0, 0]
    if (messages === 0) return
    await onChannel(queue, async ({ raw, ask }) => {
      for (let i = 0; i < messages && held < most && bytes < MOST_BYTES; i++) {
        const found = await ask(raw.basicGet(queue, { noAck: false }))
        if (!found) return
        held++
        bytes += found.bodySize
        if ((await each(toMessage(found), () => raw.basicAck(found.deliveryTag))) === 'kept') continue
        held--
        bytes -= found.bodySize
      }
    })
    // What was taken is taken, whether the broker can say how many lie there again or not.
    await givenBack(queue, held).catch(() => {})
  }

  /** A quorum queue takes back what a closed channel held a moment after it has said that the channel is closed. */
  async function givenBack(queue: string, messages: number): Promise<void> {
    const endMs = clock.monotonic() + GIVEN_BACK_MS
    while (clock.monotonic() < endMs && ((await count(queue)) ?? messages) < messages) await sleep(clock, 10)
  }

  /** Sends back what is wanted of a queue, and takes it off. */
  function replayFrom(queue: string, isWanted: (letter: DeadLetter) => boolean, tally: Replayed): Promise<void> {
    return onChannel(queue, async (sending) => {
      const send = await createSender(sending, clock)
      await read(queue, MOST_SEARCHED, async (message, take) => {
        const letter = await readDeadLetter(message, queue)
        if (!isWanted(letter)) return 'kept'
        const { refusal } = await send(message)
        if (refusal !== undefined) {
          tally.refused.push({ id: letter.id, reason: refusal })
          return 'kept'
        }
        await take()
        tally.done++
        return 'taken'
      })
    })
  }

  function replay(isWanted: (letter: DeadLetter) => boolean): Promise<Tally> {
    return inTurn(async () => {
      const tally: Replayed = { done: 0, refused: [] }
      for (const queue of queues) await replayFrom(queue, isWanted, tally)
      return tally
    })
  }

  /** Hands every letter of a queue that has this id to `each`. */
  function readOf(
    { queue, id }: { readonly queue: string; readonly id: string },
    each: (letter: DeadLetter, message: DeadMessage, take: () => Promise<void>) => Promise<'kept' | 'taken'>,
  ): Promise<void> {
    return read(queue, MOST_SEARCHED, async (message, take) => {
      const letter = await readDeadLetter(message, queue)
      return letter.id === id ? await each(letter, message, take) : 'kept'
    })
  }

  function notFound(id: string): OperationRefused {
    return new OperationRefused('not-found', `There is no dead letter "${id}" in ${queues.join(', ') || 'any queue'}`)
  }

  /** One after the other: what one holds back, another would not find. */
  function inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    const result = turn.then(work)
    turn = result.catch(() => {})
    return result
  }

  return {
    count: (queue) => inTurn(() => count(queue)),

    list: (limit) =>
      inTurn(async () => {
        const letters: DeadLetter[] = []
        const found: { name: string; messages?: number }[] = []
        for (const queue of queues) {
          const messages = await count(queue)
          found.push(messages === undefined ? { name: queue } : { name: queue, messages })
          let seen = 0
          await read(queue, Math.max(limit, LEAST_LOOKED_AT), async (message) => {
            if (seen++ < limit) letters.push(await readDeadLetter(message, queue))
            return 'kept'
          })
        }
        return { queues: found, letters }
      }),

    async replay(id) {
      const tally = await replay((letter) => letter.id === id)
      if (tally.done + tally.refused.length > 0) return tally
      throw notFound(id)
    },

    replayAll: () => replay(() => true),

    show: (id) =>
      inTurn(async () => {
        const found: DeadLetterDetail[] = []
        for (const queue of queues) {
          await readOf({ queue, id }, async (letter, message) => {
            if (found.length < MOST_SHOWN) found.push({ ...letter, ...detailOf(message) })
            return 'kept'
          })
        }
        if (found.length === 0) throw notFound(id)
        return found
      }),

    discard: (id) =>
      inTurn(async () => {
        const gone: DeadLetter[] = []
        for (const queue of queues) {
          const told = gone.length
          await readOf({ queue, id }, async (letter, _, take) => {
            await take()
            gone.push(letter)
            return 'taken'
          })
          for (const letter of gone.slice(told)) onDiscard?.(letter)
        }
        if (gone.length === 0) throw notFound(id)
        return gone
      }),

    close: kept.close,
  }
}

interface Replayed {
  done: number
  readonly refused: { id: string; reason: string }[]
}

function toMessage({ routingKey, properties, body }: AMQPMessage): DeadMessage {
  return { routingKey, properties, body: body ?? new Uint8Array() }
}
