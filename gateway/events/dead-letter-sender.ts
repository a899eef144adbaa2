import type { Clock } from '../core/clock.ts'
import { OperationRefused } from '../core/operations.ts'
import { type DeadMessage, originOf, replayProperties } from './dead-letter.ts'
import type { DeadLetterChannel } from './dead-letter-channel.ts'

/** Sends a dead letter to the queue it died in. Resolves once the broker has it, or with why it has not. */
export type SendBack = (message: DeadMessage) => Promise<{ readonly refusal?: string }>

const CONFIRM_TIMEOUT_MS = 5_000
/** The reason may repeat what cannot be sent. */
const MAX_REASON = 200

/** Sends with confirms and the `mandatory` flag, one message at a time, on a channel of its own. */
export async function createSender({ raw: channel, ask }: DeadLetterChannel, clock: Clock): Promise<SendBack> {
  let isReturned = false
  // An unroutable message is returned first and acknowledged after.
  channel.onReturn = () => {
    isReturned = true
  }
  await ask(channel.confirmSelect())
  return async (message) => {
    isReturned = false
    const queue = originOf(message)
    const sending = channel.basicPublish('', queue, message.body, replayProperties(message.properties), true)
    try {
      await confirmed(sending, clock)
    } catch (error) {
      // What no frame can hold is refused before anything is written, and the channel goes on.
      if (channel.closed || error instanceof OperationRefused) throw error
      return { refusal: `it cannot be sent: ${error instanceof Error ? error.message.slice(0, MAX_REASON) : error}` }
    }
    return isReturned ? { refusal: `the queue it died in, "${queue}", is gone` } : {}
  }
}

function confirmed(sending: Promise<unknown>, clock: Clock): Promise<void> {
  return new Promise((resolve, reject) => {
    const cancel = clock.after(CONFIRM_TIMEOUT_MS, () => {
      reject(
        new OperationRefused('unavailable', `The broker did not confirm within ${CONFIRM_TIMEOUT_MS} ms: try later`),
      )
    })
    sending.then(() => resolve(), reject).finally(cancel)
  })
}
