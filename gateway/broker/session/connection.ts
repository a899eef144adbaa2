import type { Logger } from '../../core/telemetry.ts'
import type { Broker } from '../broker.ts'
import { type Content, contentFrames, type Frame, FrameReader, HEARTBEAT_FRAME, methodFrame } from '../codec/frames.ts'
import { readMethod } from '../codec/method-codec.ts'
import type { Method, MethodArguments, MethodName } from '../codec/methods.ts'
import { ProtocolError } from '../protocol-error.ts'
import { BackPressure } from './back-pressure.ts'
import type { ChannelHost } from './channel-host.ts'
import { Channels } from './channels.ts'
import {
  agree,
  assertMechanism,
  assertVirtualHost,
  beginsAsProtocolHeader,
  isCapable,
  PROTOCOL_HEADER,
  startArguments,
  type Tuning,
  tuneArguments,
} from './handshake.ts'
import { Heartbeat } from './heartbeat.ts'
import { PublishPause } from './publish-pause.ts'
import type { Wire } from './wire.ts'

type State = 'header' | 'start-ok' | 'tune-ok' | 'open' | 'running' | 'closing' | 'closed'

export interface ConnectionOptions {
  readonly wire: Wire
  readonly broker: Broker
  readonly log: Logger
}

/**
 * The broker's side of one AMQP connection, whatever carries the octets. The carrier calls `receive`, `drained` when
 * everything buffered has left, and `lost` once when the connection is gone.
 */
export class Connection implements ChannelHost {
  readonly broker: Broker
  readonly owner: object = this
  understandsCancel = false
  readonly #wire: Wire
  readonly #log: Logger
  readonly #reader = new FrameReader()
  readonly #channels: Channels
  readonly #pressure: BackPressure
  #state: State = 'header'
  #heartbeat: Heartbeat | undefined
  #cancelDeadline: () => void
  #pause: PublishPause | undefined

  constructor({ wire, broker, log }: ConnectionOptions) {
    this.broker = broker
    this.#wire = wire
    this.#log = log
    this.#channels = new Channels(this)
    this.#pressure = new BackPressure(wire)
    this.#cancelDeadline = this.#deadline('Broker handshake timed out')
  }

  get takesDeliveries(): boolean {
    return this.#pressure.hasRoomForDeliveries() && this.#state === 'running'
  }

  get channelCount(): number {
    return this.#channels.count
  }

  /** Takes octets from the client; they are copied. */
  receive(bytes: Uint8Array): void {
    if (this.#state === 'closed') return
    this.#heartbeat?.heard()
    this.#reader.push(bytes)
    this.#process()
  }

  /** Everything buffered has left: goes on with what was held back. */
  drained(): void {
    if (this.#state === 'closed') return
    if (this.#pressure.resumeReading()) this.#process()
    if (this.#pressure.resumeDeliveries()) this.#channels.dispatch()
  }

  /** The connection is gone: what was not settled goes back to its queues, exclusive queues are deleted. */
  lost(): void {
    if (this.#state === 'closed') return
    if (this.#state !== 'closing') this.#log.info('Broker client left without closing')
    this.#end()
  }

  /** Tells the client that the broker goes away and closes. */
  shutdown(): void {
    if (this.#state === 'closed') return
    if (this.#state === 'running') this.#sendClose(new ProtocolError(320, 'the broker is shutting down'))
    this.#finish()
  }

  publishes(): void {
    this.#pause?.begin()
  }

  fail(error: ProtocolError): void {
    if (this.#state === 'running') this.#fail(error)
  }

  send<Name extends MethodName>(channel: number, name: Name, values: MethodArguments<Name>): void {
    if (this.#state !== 'closed') this.#wire.send(methodFrame(channel, name, values))
  }

  sendContent<Name extends MethodName>(
    channel: number,
    name: Name,
    values: MethodArguments<Name>,
    content: Content,
  ): void {
    if (this.#state !== 'running') return
    const { largestFrameBytes } = this.#reader
    this.#wire.send(contentFrames({ channel, largestFrameBytes }, name, values, content))
  }

  #process(): void {
    try {
      if (this.#state === 'header' && !this.#takeHeader()) return
      while (this.#state !== 'closed' && !this.#pressure.isReadingPaused) {
        const frame = this.#reader.next()
        if (frame === undefined) break
        this.#handle(frame)
        this.#pressure.review()
      }
    } catch (error) {
      this.#fail(error)
    }
    this.#channels.flush()
  }

  #takeHeader(): boolean {
    if (!beginsAsProtocolHeader(this.#reader.peek())) {
      this.#log.warn('Broker client speaks another protocol')
      this.#wire.send(PROTOCOL_HEADER)
      this.#finish()
      return false
    }
    if (this.#reader.take(PROTOCOL_HEADER.length) === undefined) return false
    this.#state = 'start-ok'
    this.send(0, 'connection.start', startArguments())
    return true
  }

  #handle(frame: Frame): void {
    if (frame.kind === 'heartbeat') return
    if (frame.channel === 0) {
      if (frame.kind !== 'method') throw new ProtocolError(505, 'message content came on channel 0')
      this.#handleOwn(readMethod(frame.payload))
      return
    }
    if (this.#state === 'closing') return
    if (this.#state !== 'running') throw new ProtocolError(503, 'the connection is not open yet')
    this.#channels.handle(frame)
  }

  #handleOwn(method: Method): void {
    if (method.name === 'connection.close') {
      this.send(0, 'connection.close-ok', {})
      this.#finish()
    } else if (this.#state === 'closing') {
      if (method.name === 'connection.close-ok') this.#finish()
    } else if (method.name === 'connection.start-ok' && this.#state === 'start-ok') {
      assertMechanism(method.arguments)
      this.understandsCancel = isCapable(method.arguments, 'consumer_cancel_notify')
      if (isCapable(method.arguments, 'connection.blocked')) this.#pause = new PublishPause(this)
      this.#state = 'tune-ok'
      this.send(0, 'connection.tune', tuneArguments(this.broker.limits.channels))
    } else if (method.name === 'connection.tune-ok' && this.#state === 'tune-ok') {
      this.#tune(agree(method.arguments, this.broker.limits.channels))
      this.#state = 'open'
    } else if (method.name === 'connection.open' && this.#state === 'open') {
      this.#open(method.arguments.virtualHost)
    } else {
      throw new ProtocolError(503, `${method.name} is out of place on channel 0`)
    }
  }

  #tune(tuning: Tuning): void {
    this.#channels.limit = tuning.channels
    this.#reader.largestFrameBytes = tuning.frameBytes
    this.#heartbeat = new Heartbeat({
      clock: this.broker.clock,
      intervalMs: tuning.heartbeatMs,
      beat: () => this.#wire.send(HEARTBEAT_FRAME),
      silent: () => this.#drop('Broker client fell silent'),
    })
  }

  #open(virtualHost: string): void {
    assertVirtualHost(virtualHost)
    this.#cancelDeadline()
    this.#state = 'running'
    this.send(0, 'connection.open-ok', {})
  }

  /** Ends the connection for the client's mistake, or for one of ours. */
  #fail(error: unknown): void {
    const told =
      error instanceof ProtocolError ? error : new ProtocolError(541, 'the embedded broker failed: see its log')
    if (told !== error) this.#log.error('Broker session failed', { error })
    if (this.#state === 'closing' || this.#state === 'closed') {
      this.#drop('Broker client misbehaved while closing')
      return
    }
    this.#log.warn('Broker closes a connection', { reason: told.message })
    this.#channels.flush()
    this.#sendClose(told)
    this.#state = 'closing'
    this.#release()
    this.#cancelDeadline = this.#deadline('Broker client did not confirm the end of its connection')
  }

  #sendClose({ code: replyCode, replyText }: ProtocolError): void {
    this.send(0, 'connection.close', { replyCode, replyText, classId: 0, methodId: 0 })
  }

  #deadline(message: string): () => void {
    return this.broker.clock.after(this.broker.limits.handshakeMs, () => this.#drop(message))
  }

  #drop(message: string): void {
    this.#log.warn(message)
    this.#end()
    this.#wire.abort()
  }

  #finish(): void {
    this.#end()
    this.#wire.close()
  }

  #end(): void {
    this.#state = 'closed'
    this.#release()
  }

  #release(): void {
    this.#cancelDeadline()
    this.#heartbeat?.stop()
    this.#pause?.end()
    this.#channels.release()
    this.broker.topology.releaseOwner(this)
  }
}
