import type { CloudEvent } from '../consumer/index.ts'
import type { EventService } from '../service/event-service.ts'

/** Carries events between services inside a test, where every step can be seen. */
export interface Postman {
  /** Every consequence carried so far. */
  readonly carried: readonly CloudEvent[]
  /** Hands an event to all who react to its type, and then all that follows from it. A failure is thrown. */
  deliver(event: CloudEvent): void
}

/** Makes a postman for services that have no broker. */
export function createPostman(services: readonly EventService[]): Postman {
  const carried: CloudEvent[] = []

  function hand(event: CloudEvent): void {
    for (const { inbox } of services) if (inbox.types.includes(event.type)) inbox.take(queueOf(inbox.service), event)
  }

  return {
    carried,
    deliver(event) {
      hand(event)
      for (let owed = owing(); owed.length > 0; owed = owing()) {
        for (const { inbox, one } of owed) {
          carried.push(one.event)
          hand(one.event)
          inbox.outgoing.forget([one.sequence])
        }
      }
    },
  }

  function owing() {
    return services.flatMap(({ inbox }) => inbox.outgoing.oldest(100, []).map((one) => ({ inbox, one })))
  }
}

const queueOf = (service: string) => `${service}.test`
