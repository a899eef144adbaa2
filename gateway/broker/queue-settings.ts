import { type FieldTable, integerOf, textOf } from './codec/field-table.ts'
import { LONGEST_TTL_MS } from './message.ts'
import { ProtocolError } from './protocol-error.ts'

/** What the `x-…` arguments of a queue ask for. */
export interface QueueSettings {
  readonly 'x-queue-type': 'classic' | 'quorum'
  readonly 'x-message-ttl': number | undefined
  readonly 'x-dead-letter-exchange': string | undefined
  readonly 'x-dead-letter-routing-key': string | undefined
  /** `at-least-once` keeps a dead message where it died until every queue its dead letter goes to has taken it. */
  readonly 'x-dead-letter-strategy': 'at-most-once' | 'at-least-once' | undefined
  readonly 'x-max-length': number | undefined
  readonly 'x-overflow': 'drop-head' | 'reject-publish'
  readonly 'x-delivery-limit': number | undefined
}

const ABSENT: QueueSettings = {
  'x-queue-type': 'classic',
  'x-message-ttl': undefined,
  'x-dead-letter-exchange': undefined,
  'x-dead-letter-routing-key': undefined,
  'x-dead-letter-strategy': undefined,
  'x-max-length': undefined,
  'x-overflow': 'drop-head',
  'x-delivery-limit': undefined,
}

/** Settings that were written as JSON, which leaves out what is undefined. */
export function restoreQueueSettings(stored: Partial<QueueSettings>): QueueSettings {
  return { ...ABSENT, ...stored }
}

/** Arguments that change what happens to messages and that this broker does not know how to honour. */
const UNSUPPORTED = ['x-expires', 'x-max-length-bytes', 'x-max-priority', 'x-single-active-consumer']

/**
 * Reads the arguments of queue.declare: 406 PRECONDITION_FAILED for a wrong value, 540 NOT_IMPLEMENTED for an argument
 * that RabbitMQ would honour and this broker would not. Arguments unknown to both are ignored.
 */
export function readQueueSettings(queue: string, table: FieldTable): QueueSettings {
  for (const name of UNSUPPORTED) {
    if (table.has(name))
      throw new ProtocolError(540, `the embedded broker does not know ${name}: leave it out or use RabbitMQ`)
  }
  const settings: QueueSettings = {
    'x-queue-type': oneOf(queue, table, 'x-queue-type', ['classic', 'quorum']),
    'x-message-ttl': count(queue, table, 'x-message-ttl', LONGEST_TTL_MS),
    'x-dead-letter-exchange': text(queue, table, 'x-dead-letter-exchange'),
    'x-dead-letter-routing-key': text(queue, table, 'x-dead-letter-routing-key'),
    'x-dead-letter-strategy': table.has('x-dead-letter-strategy')
      ? oneOf(queue, table, 'x-dead-letter-strategy', ['at-most-once', 'at-least-once'])
      : undefined,
    'x-max-length': count(queue, table, 'x-max-length', Number.MAX_SAFE_INTEGER),
    'x-overflow': oneOf(queue, table, 'x-overflow', ['drop-head', 'reject-publish']),
    'x-delivery-limit': count(queue, table, 'x-delivery-limit', Number.MAX_SAFE_INTEGER),
  }
  if (settings['x-dead-letter-routing-key'] !== undefined && settings['x-dead-letter-exchange'] === undefined) {
    throw invalid(queue, 'x-dead-letter-routing-key', 'needs x-dead-letter-exchange beside it')
  }
  for (const name of ['x-delivery-limit', 'x-dead-letter-strategy'] as const) {
    if (settings[name] !== undefined && settings['x-queue-type'] !== 'quorum') {
      throw invalid(queue, name, 'needs x-queue-type "quorum" beside it')
    }
  }
  return settings
}

/** Whether dead letters wait in the queue until they are taken; as in RabbitMQ, only beside `reject-publish`. */
export function deadLettersAtLeastOnce(settings: QueueSettings): boolean {
  return settings['x-dead-letter-strategy'] === 'at-least-once' && settings['x-overflow'] === 'reject-publish'
}

/** Throws 406 PRECONDITION_FAILED, naming the argument, when a queue is declared again with other settings. */
export function assertSameSettings(queue: string, current: QueueSettings, received: QueueSettings): void {
  for (const name of Object.keys(current) as (keyof QueueSettings)[]) {
    assertSame(`queue '${queue}'`, name, current[name], received[name])
  }
}

/** Throws 406 PRECONDITION_FAILED when something is declared again with another value. */
export function assertSame(what: string, name: string, current: unknown, received: unknown): void {
  if (current === received) return
  const inequality = `received '${received ?? 'none'}' but current is '${current ?? 'none'}'`
  throw new ProtocolError(406, `inequivalent arg '${name}' for ${what} in vhost '/': ${inequality}`)
}

function invalid(queue: string, name: string, why: string): ProtocolError {
  return new ProtocolError(406, `invalid arg '${name}' for queue '${queue}' in vhost '/': ${why}`)
}

function text(queue: string, table: FieldTable, name: string): string | undefined {
  const field = table.get(name)
  const value = textOf(field)
  if (field !== undefined && value === undefined) throw invalid(queue, name, 'must be a long string')
  return value
}

function count(queue: string, table: FieldTable, name: string, most: number): number | undefined {
  const field = table.get(name)
  if (field === undefined) return undefined
  const value = integerOf(field)
  if (value === undefined || value < 0 || value > most)
    throw invalid(queue, name, `must be a whole number up to ${most}`)
  return value
}

/** The first of `allowed` is the default. */
function oneOf<const Value extends string>(
  queue: string,
  table: FieldTable,
  name: string,
  allowed: readonly [Value, ...Value[]],
): Value {
  const value = text(queue, table, name)
  const found = value === undefined ? allowed[0] : allowed.find((candidate) => candidate === value)
  if (found === undefined) throw invalid(queue, name, `must be one of ${allowed.join(', ')}`)
  return found
}
