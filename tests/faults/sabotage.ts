import { AMQPChannel } from '@cloudamqp/amqp-client'

/** Ways to break a gateway so that it loses events: the checker has to find each. */
export type Sabotage = 'confirms-off'

/** Breaks this process. */
export function sabotage(how: Sabotage): void {
  if (how === 'confirms-off') AMQPChannel.prototype.confirmSelect = () => Promise.resolve()
}
