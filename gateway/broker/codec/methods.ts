import type { FieldTable } from './field-table.ts'

/** The wire type of one argument. Arguments whose name begins with `reserved` are written as zero and ignored when read. */
export type WireType = 'bit' | 'octet' | 'short' | 'long' | 'longlong' | 'shortString' | 'longString' | 'table'

interface MethodShape {
  /** Class and method number. */
  readonly id: readonly [number, number]
  readonly arguments: Readonly<Record<string, WireType>>
}

const CLOSE = { replyCode: 'short', replyText: 'shortString', classId: 'short', methodId: 'short' } as const
const TUNE = { channelMax: 'short', frameMax: 'long', heartbeatSeconds: 'short' } as const
const NOTHING = {} as const

/** Every method of AMQP 0-9-1 this broker reads or writes, with its arguments in the order of the wire. */
export const METHODS = {
  'connection.start': {
    id: [10, 10],
    arguments: {
      versionMajor: 'octet',
      versionMinor: 'octet',
      serverProperties: 'table',
      mechanisms: 'longString',
      locales: 'longString',
    },
  },
  'connection.start-ok': {
    id: [10, 11],
    arguments: { clientProperties: 'table', mechanism: 'shortString', response: 'longString', locale: 'shortString' },
  },
  'connection.tune': { id: [10, 30], arguments: TUNE },
  'connection.tune-ok': { id: [10, 31], arguments: TUNE },
  'connection.open': {
    id: [10, 40],
    arguments: { virtualHost: 'shortString', reserved1: 'shortString', reserved2: 'bit' },
  },
  'connection.open-ok': { id: [10, 41], arguments: { reserved1: 'shortString' } },
  'connection.close': { id: [10, 50], arguments: CLOSE },
  'connection.close-ok': { id: [10, 51], arguments: NOTHING },
  'connection.blocked': { id: [10, 60], arguments: { reason: 'shortString' } },
  'connection.unblocked': { id: [10, 61], arguments: NOTHING },

  'channel.open': { id: [20, 10], arguments: { reserved1: 'shortString' } },
  'channel.open-ok': { id: [20, 11], arguments: { reserved1: 'longString' } },
  'channel.flow': { id: [20, 20], arguments: { active: 'bit' } },
  'channel.flow-ok': { id: [20, 21], arguments: { active: 'bit' } },
  'channel.close': { id: [20, 40], arguments: CLOSE },
  'channel.close-ok': { id: [20, 41], arguments: NOTHING },

  'exchange.declare': {
    id: [40, 10],
    arguments: {
      reserved1: 'short',
      exchange: 'shortString',
      type: 'shortString',
      passive: 'bit',
      durable: 'bit',
      autoDelete: 'bit',
      internal: 'bit',
      noWait: 'bit',
      arguments: 'table',
    },
  },
  'exchange.declare-ok': { id: [40, 11], arguments: NOTHING },
  'exchange.delete': {
    id: [40, 20],
    arguments: { reserved1: 'short', exchange: 'shortString', ifUnused: 'bit', noWait: 'bit' },
  },
  'exchange.delete-ok': { id: [40, 21], arguments: NOTHING },

  'queue.declare': {
    id: [50, 10],
    arguments: {
      reserved1: 'short',
      queue: 'shortString',
      passive: 'bit',
      durable: 'bit',
      exclusive: 'bit',
      autoDelete: 'bit',
      noWait: 'bit',
      arguments: 'table',
    },
  },
  'queue.declare-ok': {
    id: [50, 11],
    arguments: { queue: 'shortString', messageCount: 'long', consumerCount: 'long' },
  },
  'queue.bind': {
    id: [50, 20],
    arguments: {
      reserved1: 'short',
      queue: 'shortString',
      exchange: 'shortString',
      routingKey: 'shortString',
      noWait: 'bit',
      arguments: 'table',
    },
  },
  'queue.bind-ok': { id: [50, 21], arguments: NOTHING },
  'queue.purge': { id: [50, 30], arguments: { reserved1: 'short', queue: 'shortString', noWait: 'bit' } },
  'queue.purge-ok': { id: [50, 31], arguments: { messageCount: 'long' } },
  'queue.delete': {
    id: [50, 40],
    arguments: { reserved1: 'short', queue: 'shortString', ifUnused: 'bit', ifEmpty: 'bit', noWait: 'bit' },
  },
  'queue.delete-ok': { id: [50, 41], arguments: { messageCount: 'long' } },
  'queue.unbind': {
    id: [50, 50],
    arguments: {
      reserved1: 'short',
      queue: 'shortString',
      exchange: 'shortString',
      routingKey: 'shortString',
      arguments: 'table',
    },
  },
  'queue.unbind-ok': { id: [50, 51], arguments: NOTHING },

  'basic.qos': { id: [60, 10], arguments: { prefetchSize: 'long', prefetchCount: 'short', global: 'bit' } },
  'basic.qos-ok': { id: [60, 11], arguments: NOTHING },
  'basic.consume': {
    id: [60, 20],
    arguments: {
      reserved1: 'short',
      queue: 'shortString',
      consumerTag: 'shortString',
      noLocal: 'bit',
      noAck: 'bit',
      exclusive: 'bit',
      noWait: 'bit',
      arguments: 'table',
    },
  },
  'basic.consume-ok': { id: [60, 21], arguments: { consumerTag: 'shortString' } },
  'basic.cancel': { id: [60, 30], arguments: { consumerTag: 'shortString', noWait: 'bit' } },
  'basic.cancel-ok': { id: [60, 31], arguments: { consumerTag: 'shortString' } },
  'basic.publish': {
    id: [60, 40],
    arguments: {
      reserved1: 'short',
      exchange: 'shortString',
      routingKey: 'shortString',
      mandatory: 'bit',
      immediate: 'bit',
    },
  },
  'basic.return': {
    id: [60, 50],
    arguments: { replyCode: 'short', replyText: 'shortString', exchange: 'shortString', routingKey: 'shortString' },
  },
  'basic.deliver': {
    id: [60, 60],
    arguments: {
      consumerTag: 'shortString',
      deliveryTag: 'longlong',
      redelivered: 'bit',
      exchange: 'shortString',
      routingKey: 'shortString',
    },
  },
  'basic.get': { id: [60, 70], arguments: { reserved1: 'short', queue: 'shortString', noAck: 'bit' } },
  'basic.get-ok': {
    id: [60, 71],
    arguments: {
      deliveryTag: 'longlong',
      redelivered: 'bit',
      exchange: 'shortString',
      routingKey: 'shortString',
      messageCount: 'long',
    },
  },
  'basic.get-empty': { id: [60, 72], arguments: { reserved1: 'shortString' } },
  'basic.ack': { id: [60, 80], arguments: { deliveryTag: 'longlong', multiple: 'bit' } },
  'basic.reject': { id: [60, 90], arguments: { deliveryTag: 'longlong', requeue: 'bit' } },
  'basic.recover-async': { id: [60, 100], arguments: { requeue: 'bit' } },
  'basic.recover': { id: [60, 110], arguments: { requeue: 'bit' } },
  'basic.recover-ok': { id: [60, 111], arguments: NOTHING },
  'basic.nack': { id: [60, 120], arguments: { deliveryTag: 'longlong', multiple: 'bit', requeue: 'bit' } },

  'confirm.select': { id: [85, 10], arguments: { noWait: 'bit' } },
  'confirm.select-ok': { id: [85, 11], arguments: NOTHING },
} as const satisfies Record<string, MethodShape>

export type MethodName = keyof typeof METHODS

interface WireValues {
  bit: boolean
  octet: number
  short: number
  long: number
  longlong: number
  shortString: string
  longString: Uint8Array
  table: FieldTable
}

type ShapeOf<Name extends MethodName> = (typeof METHODS)[Name]['arguments']

/** The arguments of one method by name, without the reserved ones. */
export type MethodArguments<Name extends MethodName> = {
  readonly [Key in keyof ShapeOf<Name> as Key extends `reserved${string}`
    ? never
    : Key]: ShapeOf<Name>[Key] extends WireType ? WireValues[ShapeOf<Name>[Key]] : never
}

/** A method that was read, told apart by `name`. */
export type Method = {
  [Name in MethodName]: { readonly name: Name; readonly arguments: MethodArguments<Name> }
}[MethodName]
