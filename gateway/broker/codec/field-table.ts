import { ProtocolError } from '../protocol-error.ts'
import { OctetReader } from './octet-reader.ts'
import type { OctetWriter } from './octet-writer.ts'

/**
 * One value of a field table with the type it had on the wire, so that a table read and written again is the same table.
 * Letters are those that RabbitMQ and its clients use, which differ from the specification's for `s`, `u` and `l`.
 */
export type Field =
  | { readonly type: 't'; readonly value: boolean }
  | { readonly type: 'b' | 'B' | 's' | 'u' | 'I' | 'i' | 'f' | 'd'; readonly value: number }
  | { readonly type: 'l' | 'L' | 'T'; readonly value: bigint }
  | { readonly type: 'D'; readonly scale: number; readonly value: number }
  | { readonly type: 'S' | 'x'; readonly value: Uint8Array }
  | { readonly type: 'A'; readonly value: readonly Field[] }
  | { readonly type: 'F'; readonly value: FieldTable }
  | { readonly type: 'V' }

export type FieldTable = ReadonlyMap<string, Field>

/** How deep tables and arrays may be nested in each other before the sender is refused. */
export const DEEPEST_NESTING = 16

const encoder = new TextEncoder()
const decoder = new TextDecoder()

/** A long string field. */
export function textField(text: string): Field {
  return { type: 'S', value: encoder.encode(text) }
}

/** The text of a long string field; undefined for any other field or none. */
export function textOf(field: Field | undefined): string | undefined {
  return field?.type === 'S' ? decoder.decode(field.value) : undefined
}

/** The value of a whole-number field of any width; undefined for any other field or none. */
export function integerOf(field: Field | undefined): number | undefined {
  if (field === undefined || !('value' in field)) return undefined
  if (field.type === 'l' || field.type === 'L') return Number(field.value)
  return 'bBsuIi'.includes(field.type) && typeof field.value === 'number' ? field.value : undefined
}

/** Reads a table; throws 502 SYNTAX_ERROR for unknown types, lengths that do not fit, and nesting beyond `DEEPEST_NESTING`. */
export function readTable(reader: OctetReader, depth = 0): FieldTable {
  const content = new OctetReader(reader.longString())
  const table = new Map<string, Field>()
  while (content.remaining > 0) {
    const name = content.shortString()
    table.set(name, readField(content, depth))
  }
  return table
}

function readField(reader: OctetReader, depth: number): Field {
  const type = String.fromCharCode(reader.octet())
  switch (type) {
    case 't':
      return { type, value: reader.octet() !== 0 }
    case 'b':
      return { type, value: reader.signedOctet() }
    case 'B':
      return { type, value: reader.octet() }
    case 's':
      return { type, value: reader.signedShort() }
    case 'u':
      return { type, value: reader.short() }
    case 'I':
      return { type, value: reader.signedLong() }
    case 'i':
      return { type, value: reader.long() }
    case 'l':
    case 'L':
    case 'T':
      return { type, value: reader.signedLonglong() }
    case 'f':
      return { type, value: reader.float() }
    case 'd':
      return { type, value: reader.double() }
    case 'D':
      return { type, scale: reader.octet(), value: reader.signedLong() }
    case 'S':
    case 'x':
      return { type, value: reader.longString().slice() }
    case 'A':
      return { type, value: readArray(reader, deeper(depth)) }
    case 'F':
      return { type, value: readTable(reader, deeper(depth)) }
    case 'V':
      return { type }
    default:
      throw new ProtocolError(502, `a field table holds a value of unknown type ${JSON.stringify(type)}`)
  }
}

function deeper(depth: number): number {
  if (depth >= DEEPEST_NESTING)
    throw new ProtocolError(502, `a field table is nested deeper than ${DEEPEST_NESTING} levels`)
  return depth + 1
}

function readArray(reader: OctetReader, depth: number): Field[] {
  const content = new OctetReader(reader.longString())
  const fields: Field[] = []
  while (content.remaining > 0) fields.push(readField(content, depth))
  return fields
}

/** Writes a table with its length in front. */
export function writeTable(writer: OctetWriter, table: FieldTable): void {
  writer.measured(() => {
    for (const [name, field] of table) {
      writer.shortString(name)
      writeField(writer, field)
    }
  })
}

function writeField(writer: OctetWriter, field: Field): void {
  writer.octet(field.type.charCodeAt(0))
  switch (field.type) {
    case 't':
      writer.octet(field.value ? 1 : 0)
      break
    case 'b':
    case 'B':
      writer.octet(field.value)
      break
    case 's':
    case 'u':
      writer.short(field.value)
      break
    case 'I':
    case 'i':
      writer.long(field.value)
      break
    case 'l':
    case 'L':
    case 'T':
      writer.longlong(field.value)
      break
    case 'f':
      writer.float(field.value)
      break
    case 'd':
      writer.double(field.value)
      break
    case 'D':
      writer.octet(field.scale)
      writer.long(field.value)
      break
    case 'S':
    case 'x':
      writer.longString(field.value)
      break
    case 'A':
      writer.measured(() => {
        for (const item of field.value) writeField(writer, item)
      })
      break
    case 'F':
      writeTable(writer, field.value)
      break
    case 'V':
      break
  }
}
