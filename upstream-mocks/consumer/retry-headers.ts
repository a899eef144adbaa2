import type { AMQPProperties } from '@cloudamqp/amqp-client'
import type { Failure } from './failures.ts'

/** What a message tells of its earlier failures. */
export interface History {
  readonly attempts: number
  readonly firstFailureAt: string | undefined
}

/** Reads `x-attempts` and `x-first-failure-at`; nonsense in them counts as nothing. */
export function history({ headers = {} }: AMQPProperties): History {
  const { 'x-attempts': attempts, 'x-first-failure-at': at } = headers
  return {
    attempts: typeof attempts === 'number' && Number.isInteger(attempts) && attempts >= 0 ? attempts : 0,
    firstFailureAt: typeof at === 'string' && at.length <= 40 ? at : undefined,
  }
}

/** The latest failure; with `failure` and `queue` for a message that is given up. */
export interface LatestFailure {
  readonly attempts: number
  readonly atMs: number
  readonly failure?: Failure
  readonly queue?: string
}

/** The message's properties with its failures in headers; everything else stays as it was sent. */
export function withFailure(properties: AMQPProperties, latest: LatestFailure): AMQPProperties {
  const { attempts, firstFailureAt } = history(properties)
  const { failure, queue } = latest
  const cleaned = withoutBrokerMarks(properties)
  return {
    ...cleaned,
    headers: {
      ...cleaned.headers,
      'x-attempts': attempts + latest.attempts,
      'x-first-failure-at': firstFailureAt ?? new Date(latest.atMs).toISOString(),
      ...(failure ? { 'x-error-type': failure.type, 'x-error-detail': failure.detail } : {}),
      ...(queue === undefined ? {} : { 'x-queue': queue }),
    },
  }
}

/** What the broker wrote on a message it delivered again; sent along it would grow at every round. */
const BROKER_MARK = /^x-(?:death|delivery-count|acquired-count|first-death-.*|last-death-.*)$/

/** The properties as the publisher sent them. The message is persistent from now on, whatever it was. */
export function withoutBrokerMarks(properties: AMQPProperties): AMQPProperties {
  const { expiration: _, ...rest } = properties
  const headers = Object.entries(properties.headers ?? {}).filter(([name]) => !BROKER_MARK.test(name))
  return { ...rest, deliveryMode: 2, headers: Object.fromEntries(headers) }
}
