import { type AMQPChannel, AMQPClient } from '@cloudamqp/amqp-client'
import type { Clock } from '../core/clock.ts'

/** An open connection to an AMQP 0-9-1 broker. */
export interface AmqpConnection {
  openChannel(): Promise<AMQPChannel>
  /** As many channels may be open at once. */
  readonly maxChannels: number
  /**
   * Settles as `answer` does, something the broker owes an answer to at once. One that has not come within 10 s, though
   * there be heartbeats, never will: the connection is abandoned, and this rejects with `NoAnswerError`. It rejects, too,
   * when the connection ends, where the client leaves whoever waits for a channel to close waiting for ever.
   */
  awaitAnswer<Result>(answer: Promise<Result>): Promise<Result>
  /** When the broker last said anything, by the monotonic clock. */
  readonly heardAtMs: number
  /**
   * Asks the broker for a channel, unless it is asked already, which it owes however slow its queues are: without an
   * answer the connection is abandoned as by `awaitAnswer`.
   */
  probe(): void
  /** Resolves with the reason when the connection has ended, however it did. */
  readonly ended: Promise<string>
  /** Drops the connection at once; `ended` resolves with `reason`, and what waits for the broker rejects with it. */
  abandon(reason: string): void
  /** Says goodbye, and drops the connection if the broker does not answer that in time. */
  close(): Promise<void>
}

/** The broker has not answered what it owes an answer to at once. */
export class NoAnswerError extends Error {
  override readonly name = 'NoAnswerError'
  readonly afterMs: number

  constructor(afterMs: number) {
    super(`the broker did not answer within ${afterMs} ms`)
    this.afterMs = afterMs
  }
}

export interface AmqpConnectionOptions {
  readonly url: URL
  readonly clock: Clock
  readonly connectTimeoutMs: number
  readonly onBlocked: (reason: string) => void
  readonly onUnblocked: () => void
}

const HEARTBEAT_SECONDS = '10'
const MOST_CHANNELS = 65_535
const CLOSE_TIMEOUT_MS = 1_000
const ANSWER_TIMEOUT_MS = 10_000

/** Reads the URL of a broker. Throws a `TypeError` without the URL in it, since that holds a password. */
export function parseBrokerUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url && (url.protocol === 'amqp:' || url.protocol === 'amqps:')) return url
  throw new TypeError('Cannot use the URL of the broker: expected amqp://user:password@host:port/vhost, or amqps://')
}

/** Connects, or rejects within `connectTimeoutMs` milliseconds with a message that names no secret. */
export async function connectAmqp(options: AmqpConnectionOptions): Promise<AmqpConnection> {
  const { clock, connectTimeoutMs } = options
  const client = new GuardedClient(withDefaults(options.url))
  const ended = Promise.withResolvers<string>()
  let heardAtMs = clock.monotonic()
  const unanswered = new Set<(reason: Error) => void>()
  let lastError: string | undefined

  const end = (reason: string) => {
    ended.resolve(reason)
    for (const reject of unanswered) reject(new Error(reason))
  }
  const abandon = (reason: string) => {
    lastError ??= reason
    client.drop(reason)
    client.endChannels(reason)
    end(reason)
  }
  client.onerror = ({ message }) => {
    lastError ??= message
  }
  client.ondisconnect = (error) => end(lastError ?? error?.message ?? 'the broker closed the connection')
  client.onblocked = options.onBlocked
  client.onunblocked = options.onUnblocked

  const connecting = client.connect()
  const refused = client.guardReading(() => {
    heardAtMs = clock.monotonic()
  }, abandon)
  const cancel = clock.after(connectTimeoutMs, () => {
    refused.reject(new Error(`no connection within ${connectTimeoutMs} ms`))
  })
  try {
    await Promise.race([connecting, refused.promise])
  } catch (error) {
    abandon('the connection could not be made')
    throw error instanceof Error ? error : new Error(String(error))
  } finally {
    cancel()
  }

  async function openChannel(): Promise<AMQPChannel> {
    const channel = await client.channel()
    // By default the end of a channel is reported as an error of the connection, which goes on.
    channel.onerror = () => {}
    return channel
  }

  async function awaitAnswer<Result>(answer: Promise<Result>): Promise<Result> {
    const { promise, reject } = Promise.withResolvers<never>()
    const cancel = clock.after(ANSWER_TIMEOUT_MS, () => {
      const late = new NoAnswerError(ANSWER_TIMEOUT_MS)
      reject(late)
      abandon(late.message)
    })
    unanswered.add(reject)
    try {
      return await Promise.race([answer, promise])
    } finally {
      cancel()
      unanswered.delete(reject)
    }
  }

  let isProbing = false
  return {
    openChannel,
    // Zero says that the broker sets no limit; AMQP's own is two octets.
    maxChannels: client.channelMax || MOST_CHANNELS,
    awaitAnswer,
    get heardAtMs() {
      return heardAtMs
    },
    probe() {
      if (isProbing) return
      isProbing = true
      void awaitAnswer(openChannel())
        .then((channel) => awaitAnswer(channel.close()))
        .catch(() => {})
        .finally(() => {
          isProbing = false
        })
    },
    ended: ended.promise,
    abandon,
    async close() {
      const goodbye = client.close().catch(() => {})
      await within(clock, CLOSE_TIMEOUT_MS, goodbye)
      abandon('the gateway closed the connection')
    },
  }
}

/**
 * The client with its sharp edges covered: a write that fails (or never finishes) left promises behind whose later
 * rejection nobody could handle, and bytes that are no AMQP were thrown out of the socket's event handler. Either
 * would end the whole process.
 */
class GuardedClient extends AMQPClient {
  constructor(url: URL) {
    super(url.href)
    // The host of a URL has brackets around an IPv6 address, the socket wants none.
    Object.defineProperty(this, 'host', { value: url.hostname.replace(/^\[|\]$/g, '') || 'localhost' })
  }

  /** Resolves at once: a write that fails ends the connection, which rejects everything that waits for an answer. */
  override async send(bytes: Uint8Array): Promise<void> {
    super.send(bytes).catch((error: Error) => this.drop(error.message))
  }

  drop(reason: string): void {
    this.socket?.destroy(new Error(reason))
  }

  /** Rejects whatever waits for an answer: once it has said goodbye, the client left it waiting for ever. */
  endChannels(reason: string): void {
    for (const channel of this.channels) channel?.setClosed(new Error(reason))
  }

  /** To be called right after `connect`. What it returns rejects when the broker speaks no AMQP. */
  guardReading(onData: () => void, abandon: (reason: string) => void): PromiseWithResolvers<never> {
    const refused = Promise.withResolvers<never>()
    refused.promise.catch(() => {})
    const { socket } = this
    const readers = socket?.listeners('data') ?? []
    socket?.removeAllListeners('data')
    socket?.on('data', (chunk: unknown) => {
      onData()
      try {
        for (const read of readers) Reflect.apply(read, socket, [chunk])
      } catch {
        refused.reject(new Error('the other side does not speak AMQP 0-9-1'))
        abandon('the other side sent something that is not AMQP 0-9-1')
      }
    })
    return refused
  }
}

function withDefaults(url: URL): URL {
  const complete = new URL(url)
  const { searchParams } = complete
  if (!searchParams.has('heartbeat')) searchParams.set('heartbeat', HEARTBEAT_SECONDS)
  if (!searchParams.has('name')) searchParams.set('name', 'sluice')
  return complete
}

function within(clock: Clock, ms: number, work: Promise<unknown>): Promise<void> {
  return new Promise((resolve) => {
    const cancel = clock.after(ms, resolve)
    void work.finally(() => {
      cancel()
      resolve()
    })
  })
}
