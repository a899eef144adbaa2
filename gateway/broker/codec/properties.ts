import { ProtocolError } from '../protocol-error.ts'
import { type FieldTable, readTable, writeTable } from './field-table.ts'
import { OctetReader } from './octet-reader.ts'
import { OctetWriter } from './octet-writer.ts'

/** The properties of a message (class basic). An absent property is absent, not empty. */
export interface BasicProperties {
  contentType?: string
  contentEncoding?: string
  headers?: FieldTable
  /** 2 is persistent. */
  deliveryMode?: number
  priority?: number
  correlationId?: string
  replyTo?: string
  /** Time to live in milliseconds, as decimal text. */
  expiration?: string
  messageId?: string
  /** Seconds since the Unix epoch. */
  timestamp?: bigint
  type?: string
  userId?: string
  appId?: string
  clusterId?: string
}

type TextProperty = Exclude<keyof BasicProperties, 'headers' | 'deliveryMode' | 'priority' | 'timestamp'>

/** In the order of the wire: the first property is announced by the highest flag bit. */
const ORDER = [
  'contentType',
  'contentEncoding',
  'headers',
  'deliveryMode',
  'priority',
  'correlationId',
  'replyTo',
  'expiration',
  'messageId',
  'timestamp',
  'type',
  'userId',
  'appId',
  'clusterId',
] as const satisfies readonly (keyof BasicProperties)[]

const UNDEFINED_FLAGS = 0b11

/** Reads flags and properties as they follow the body size in a content header. */
export function readProperties(bytes: Uint8Array): BasicProperties {
  const reader = new OctetReader(bytes)
  const flags = reader.short()
  if ((flags & UNDEFINED_FLAGS) !== 0) throw new ProtocolError(502, 'the content header announces undefined properties')
  const properties: BasicProperties = {}
  for (const [index, name] of ORDER.entries()) {
    if ((flags & (0x8000 >> index)) !== 0) readProperty(reader, name, properties)
  }
  if (reader.remaining > 0) throw new ProtocolError(502, 'the content header is longer than its properties')
  return properties
}

function readProperty(reader: OctetReader, name: (typeof ORDER)[number], properties: BasicProperties): void {
  if (name === 'headers') properties.headers = readTable(reader)
  else if (name === 'deliveryMode' || name === 'priority') properties[name] = reader.octet()
  else if (name === 'timestamp') properties.timestamp = BigInt.asUintN(64, reader.signedLonglong())
  else properties[name] = reader.shortString()
}

/** The inverse of `readProperties`. */
export function writeProperties(properties: BasicProperties): Uint8Array {
  const writer = new OctetWriter()
  writer.short(ORDER.reduce((flags, name, i) => (properties[name] === undefined ? flags : flags | (0x8000 >> i)), 0))
  for (const name of ORDER) {
    if (name === 'headers') {
      if (properties.headers !== undefined) writeTable(writer, properties.headers)
    } else if (name === 'deliveryMode' || name === 'priority') {
      if (properties[name] !== undefined) writer.octet(properties[name])
    } else if (name === 'timestamp') {
      if (properties.timestamp !== undefined) writer.longlong(properties.timestamp)
    } else {
      writeText(writer, properties[name satisfies TextProperty])
    }
  }
  return writer.written
}

function writeText(writer: OctetWriter, text: string | undefined): void {
  if (text !== undefined) writer.shortString(text)
}
