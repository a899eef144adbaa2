import { type Reply, toResponse } from './read-reply.ts'

/**
 * Who waits for a reply: told once what came of it, perhaps before `ask` returns; must not throw. On its way to the network
 * and back a call would need several promises, each with a frame that waits for it; one object does.
 */
export interface Receiver {
  replied(reply: Reply): void
  failed(error: unknown): void
}

/** Tells the receiver what comes of a promised reply. */
export function tellOutcome(reply: Promise<Reply>, receiver: Receiver): void {
  reply.then(receiver.replied.bind(receiver), receiver.failed.bind(receiver))
}

/** The reply that `ask` gets told, for who works with promises and `Response`s. */
export function responseTo(ask: (receiver: Receiver) => void): Promise<Response> {
  return new Promise((resolve, reject) => {
    ask({
      replied(reply) {
        try {
          resolve(toResponse(reply))
        } catch (error) {
          reject(error)
        }
      },
      failed: reject,
    })
  })
}
