import type { Broker } from '../broker.ts'
import type { Content } from '../codec/frames.ts'
import type { MethodArguments, MethodName } from '../codec/methods.ts'
import type { ProtocolError } from '../protocol-error.ts'

/** What a channel needs from the connection it is on. */
export interface ChannelHost {
  readonly broker: Broker
  /** Who owns exclusive queues: the connection's identity. */
  readonly owner: object
  /** Whether deliveries may be written now: the connection is open and the client reads fast enough. */
  readonly takesDeliveries: boolean
  /** Whether the client understands basic.cancel from the broker. */
  readonly understandsCancel: boolean
  /** The client publishes: it is told now, and whenever that changes, if it should pause. */
  publishes(): void
  /** Ends the connection for a reason that came up after the method that caused it. */
  fail(error: ProtocolError): void
  send<Name extends MethodName>(channel: number, name: Name, values: MethodArguments<Name>): void
  sendContent<Name extends MethodName>(
    channel: number,
    name: Name,
    values: MethodArguments<Name>,
    content: Content,
  ): void
}
