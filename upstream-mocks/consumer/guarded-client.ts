import { AMQPClient } from '@cloudamqp/amqp-client'

const HEARTBEAT_S = '10'

/**
 * The client with two sharp edges covered, either of which would end the whole process: a write that fails leaves a
 * promise behind whose rejection nobody can handle, and bytes that are no AMQP throw out of the socket's event handler.
 */
export class GuardedClient extends AMQPClient {
  constructor(url: string, name: string) {
    const complete = new URL(url)
    if (!complete.searchParams.has('heartbeat')) complete.searchParams.set('heartbeat', HEARTBEAT_S)
    if (!complete.searchParams.has('name')) complete.searchParams.set('name', name)
    super(complete.href)
  }

  /** Resolves at once: a write that fails ends the connection, which rejects everything that waits for an answer. */
  override async send(bytes: Uint8Array): Promise<void> {
    super.send(bytes).catch((error: Error) => this.drop(error.message))
  }

  drop(reason: string): void {
    this.socket?.destroy(new Error(reason))
  }

  /** Rejects, besides what `connect` rejects for, when the other side does not speak AMQP. */
  connectGuarded(): Promise<unknown> {
    const connecting = this.connect()
    const strange = Promise.withResolvers<never>()
    strange.promise.catch(() => {})
    const { socket } = this
    const readers = socket?.listeners('data') ?? []
    socket?.removeAllListeners('data')
    socket?.on('data', (chunk: unknown) => {
      try {
        for (const read of readers) Reflect.apply(read, socket, [chunk])
      } catch {
        strange.reject(new Error('The other side does not speak AMQP 0-9-1'))
        this.drop('The other side sent something that is not AMQP 0-9-1')
      }
    })
    return Promise.race([connecting, strange.promise])
  }
}
