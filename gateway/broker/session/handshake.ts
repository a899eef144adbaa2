import { type FieldTable, textField } from '../codec/field-table.ts'
import { LARGEST_FRAME_BYTES } from '../codec/frames.ts'
import type { MethodArguments } from '../codec/methods.ts'
import { ProtocolError } from '../protocol-error.ts'

/** "AMQP" and the version 0-9-1: what a client says first, and what it is answered when it said anything else. */
export const PROTOCOL_HEADER: Uint8Array = Uint8Array.of(0x41, 0x4d, 0x51, 0x50, 0, 0, 9, 1)

/** Suggested to clients; they may choose less, more, or 0 for none. */
const HEARTBEAT_SECONDS = 60

const SMALLEST_FRAME_BYTES = 4_096
const CAPABILITIES = [
  'publisher_confirms',
  'basic.nack',
  'consumer_cancel_notify',
  'connection.blocked',
  'per_consumer_qos',
]
const encoder = new TextEncoder()

/** The broker's introduction. */
export function startArguments(): MethodArguments<'connection.start'> {
  const capabilities: FieldTable = new Map(CAPABILITIES.map((name) => [name, { type: 't', value: true }]))
  return {
    versionMajor: 0,
    versionMinor: 9,
    serverProperties: new Map([
      ['product', textField('Sluice embedded broker')],
      ['capabilities', { type: 'F', value: capabilities }],
    ]),
    mechanisms: encoder.encode('PLAIN AMQPLAIN'),
    locales: encoder.encode('en_US'),
  }
}

/** What the client is offered. */
export function tuneArguments(channelMax: number): MethodArguments<'connection.tune'> {
  return { channelMax, frameMax: LARGEST_FRAME_BYTES, heartbeatSeconds: HEARTBEAT_SECONDS }
}

/** Anybody who can reach the listener may come in; only the form of the credentials is checked. */
export function assertMechanism({ mechanism, response }: MethodArguments<'connection.start-ok'>): void {
  const isPlain = mechanism === 'PLAIN' && response.filter((octet) => octet === 0).length === 2
  if (!isPlain && mechanism !== 'AMQPLAIN') {
    throw new ProtocolError(403, 'login was refused: send a user name and a password with the mechanism PLAIN')
  }
}

/** Whether what has come so far may still become the protocol header. */
export function beginsAsProtocolHeader(octets: Uint8Array): boolean {
  return octets.subarray(0, PROTOCOL_HEADER.length).every((octet, index) => octet === PROTOCOL_HEADER[index])
}

/** There is one virtual host; 530 NOT_ALLOWED for any other. */
export function assertVirtualHost(name: string): void {
  if (name !== '/') throw new ProtocolError(530, `vhost ${name} not found: the embedded broker has only '/'`)
}

/** Whether the client announced that it understands a capability. */
export function isCapable({ clientProperties }: MethodArguments<'connection.start-ok'>, name: string): boolean {
  const capabilities = clientProperties.get('capabilities')
  if (capabilities?.type !== 'F') return false
  const field = capabilities.value.get(name)
  return field?.type === 't' && field.value
}

/** What both sides keep to for the rest of the connection. */
export interface Tuning {
  readonly channels: number
  readonly frameBytes: number
  readonly heartbeatMs: number
}

/** Takes the client's choice, in which 0 means "no limit of mine"; 530 NOT_ALLOWED when it asks for more than was offered. */
export function agree(chosen: MethodArguments<'connection.tune-ok'>, offeredChannels: number): Tuning {
  const channels = chosen.channelMax || offeredChannels
  const frameBytes = chosen.frameMax || LARGEST_FRAME_BYTES
  if (channels > offeredChannels) {
    throw new ProtocolError(530, `negotiated channel_max ${channels} is higher than the maximum ${offeredChannels}`)
  }
  if (frameBytes > LARGEST_FRAME_BYTES || frameBytes < SMALLEST_FRAME_BYTES) {
    const range = `${SMALLEST_FRAME_BYTES} to ${LARGEST_FRAME_BYTES}`
    throw new ProtocolError(530, `negotiated frame_max ${frameBytes} is not in the range ${range}`)
  }
  return { channels, frameBytes, heartbeatMs: chosen.heartbeatSeconds * 1_000 }
}
