import { ProtocolError } from '../protocol-error.ts'
import { type FieldTable, readTable, writeTable } from './field-table.ts'
import { METHODS, type Method, type MethodArguments, type MethodName, type WireType } from './methods.ts'
import { OctetReader } from './octet-reader.ts'
import type { OctetWriter } from './octet-writer.ts'

type WireValue = boolean | number | string | Uint8Array | FieldTable

interface CompiledMethod {
  readonly name: MethodName
  readonly id: readonly [number, number]
  readonly arguments: readonly (readonly [string, WireType])[]
}

function compile(name: MethodName): CompiledMethod {
  const shape = METHODS[name]
  return { name, id: shape.id, arguments: Object.entries(shape.arguments) }
}

const NAMES = Object.keys(METHODS) as MethodName[]
const BY_NAME = new Map(NAMES.map((name) => [name, compile(name)]))
const BY_ID = new Map([...BY_NAME.values()].map((method) => [method.id[0] * 65_536 + method.id[1], method]))

/** Reads the payload of a method frame; an unknown method is 540 NOT_IMPLEMENTED, a malformed one 502 SYNTAX_ERROR. */
export function readMethod(payload: Uint8Array): Method {
  const reader = new OctetReader(payload)
  const classId = reader.short()
  const methodId = reader.short()
  const method = BY_ID.get(classId * 65_536 + methodId)
  if (method === undefined) {
    throw new ProtocolError(540, `class ${classId} method ${methodId} is not implemented by the embedded broker`)
  }
  const values: Record<string, WireValue> = {}
  let bits = 0
  let bitsRead = 0
  for (const [name, type] of method.arguments) {
    if (type !== 'bit') {
      bitsRead = 0
      const value = readValue(reader, type)
      if (!name.startsWith('reserved')) values[name] = value
      continue
    }
    if (bitsRead === 0) bits = reader.octet()
    if (!name.startsWith('reserved')) values[name] = (bits & (1 << bitsRead)) !== 0
    bitsRead = (bitsRead + 1) % 8
  }
  // The table above is what ties names to types; the compiler cannot follow it through the loop.
  return { name: method.name, arguments: values } as unknown as Method
}

function readValue(reader: OctetReader, type: Exclude<WireType, 'bit'>): WireValue {
  return type === 'table' ? readTable(reader) : reader[type]()
}

/** Writes class, method and arguments, the payload of a method frame. Reserved arguments become zero. */
export function writeMethod<Name extends MethodName>(
  writer: OctetWriter,
  name: Name,
  values: MethodArguments<Name>,
): void {
  const method = BY_NAME.get(name) ?? compile(name)
  writer.short(method.id[0])
  writer.short(method.id[1])
  const given = values as Readonly<Record<string, WireValue | undefined>>
  let bits = 0
  let bitCount = 0
  for (const [argument, type] of method.arguments) {
    if (type === 'bit') {
      if (given[argument] === true) bits |= 1 << bitCount
      bitCount += 1
      continue
    }
    if (bitCount > 0) writer.octet(bits)
    bits = 0
    bitCount = 0
    writeValue(writer, type, given[argument])
  }
  if (bitCount > 0) writer.octet(bits)
}

const NO_OCTETS = new Uint8Array()
const NO_FIELDS: FieldTable = new Map()

function writeValue(writer: OctetWriter, type: Exclude<WireType, 'bit'>, value: WireValue | undefined): void {
  if (type === 'table') writeTable(writer, value instanceof Map ? value : NO_FIELDS)
  else if (type === 'shortString') writer.shortString(typeof value === 'string' ? value : '')
  else if (type === 'longString') writer.longString(value instanceof Uint8Array ? value : NO_OCTETS)
  else writer[type](typeof value === 'number' ? value : 0)
}
