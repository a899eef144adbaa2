/** What clients may make the broker hold. Everything beyond is refused, never dropped in silence. */
export interface BrokerLimits {
  /** Octets of messages in memory, and of what is known of those on the disk; once for every queue. Default 64 MiB. */
  readonly memoryBytes: number
  /** Octets of messages on the disk, once for every queue. Default 1 GiB. */
  readonly diskBytes: number
  /** Octets of one message's body. Default 16 MiB. */
  readonly messageBytes: number
  /** Open connections. Default 256. */
  readonly connections: number
  /** Channels of one connection. Default 255. */
  readonly channels: number
  /** Consumers of one channel. Default 255. */
  readonly consumers: number
  /** Declared exchanges, the predeclared ones included. Default 1000. */
  readonly exchanges: number
  /** Declared queues. Default 10,000. */
  readonly queues: number
  /** Bindings of all exchanges together. Default 50,000. */
  readonly bindings: number
  /** Time a client has from connecting to connection.open, and to answer connection.close. Default 10 s. */
  readonly handshakeMs: number
}

export const DEFAULT_LIMITS: BrokerLimits = {
  memoryBytes: 64 * 1_048_576,
  diskBytes: 1_024 * 1_048_576,
  messageBytes: 16 * 1_048_576,
  connections: 256,
  channels: 255,
  consumers: 255,
  exchanges: 1_000,
  queues: 10_000,
  bindings: 50_000,
  handshakeMs: 10_000,
}
