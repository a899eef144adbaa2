import type { Broker } from '../broker.ts'
import type { Content } from '../codec/frames.ts'
import type { MethodArguments, MethodName } from '../codec/methods.ts'

/** What a channel needs from the connection it is on. */
export interface ChannelHost {
  readonly broker: Broker
  /** Who owns exclusive queues: the connection's identity. */
  readonly owner: object
  /** Whether deliveries may be written now: the connection is open and the client reads fast enough. */
  readonly takesDeliveries: boolean
  /** Whether the client understands basic.cancel from the broker. */
  readonly understandsCancel: boolean
  send<Name extends MethodName>(channel: number, name: Name, values: MethodArguments<Name>): void
  sendContent<Name extends MethodName>(
    channel: number,
    name: Name,
    values: MethodArguments<Name>,
    content: Content,
  ): void
}
