import type { AMQPChannel } from '@cloudamqp/amqp-client'
import { OperationRefused } from '../core/operations.ts'
import { type AmqpConnection, NoAnswerError } from './amqp-connection.ts'
import type { KeptConnection } from './kept-connection.ts'

/** A channel to look at dead letters with, on which no question is waited for without end. */
export interface DeadLetterChannel {
  readonly raw: AMQPChannel
  /** Settles as `answer` does, which the broker owes at once; without one the connection is abandoned. */
  readonly ask: AmqpConnection['awaitAnswer']
}

/** Does `work` on a channel of its own, about the dead letters in `queue`. */
export type OnChannel = <Result>(
  queue: string,
  work: (channel: DeadLetterChannel) => Promise<Result>,
) => Promise<Result>

/**
 * Gives back what was fetched and not taken, whatever happens, and rejects with `OperationRefused` when the broker cannot
 * be reached or does not answer. What was acknowledged has been taken once this resolves: the broker has answered the end of the
 * channel then, which it does in order.
 */
export function createOnChannel(kept: KeptConnection): OnChannel {
  return async (queue, work) => {
    try {
      const { openChannel, awaitAnswer: ask } = await kept.get()
      const raw = await ask(openChannel())
      const close = async () => {
        if (!raw.closed) await ask(raw.close())
      }
      const result = await work({ raw, ask }).catch(async (error: unknown) => {
        await close().catch(() => {})
        throw error
      })
      await close()
      return result
    } catch (cause) {
      if (cause instanceof OperationRefused) throw cause
      throw new OperationRefused('unavailable', describe(cause, queue), { cause })
    }
  }
}

function describe(cause: unknown, queue: string): string {
  if (!(cause instanceof NoAnswerError)) {
    return `Cannot reach the dead letters on the broker: ${cause instanceof Error ? cause.message : String(cause)}`
  }
  return `The broker is connected and did not answer within ${cause.afterMs / 1_000} s about "${queue}": what was fetched goes back there, and what was under way may be done or not. See how the broker does (its log, the leader of that queue), then list, and try again`
}
