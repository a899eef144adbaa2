import { ProtocolError } from '../protocol-error.ts'
import { writeMethod } from './method-codec.ts'
import type { MethodArguments, MethodName } from './methods.ts'
import { OctetReader } from './octet-reader.ts'
import { OctetWriter } from './octet-writer.ts'

/** The largest frame, its 8 octets of envelope included, that is read, and the largest offered to clients. */
export const LARGEST_FRAME_BYTES = 131_072

const METHOD = 1
const HEADER = 2
const BODY = 3
const HEARTBEAT = 8
const FRAME_END = 0xce
const HEAD_BYTES = 7
const ENVELOPE_BYTES = 8
const BASIC_CLASS = 60

export type FrameKind = 'method' | 'header' | 'body' | 'heartbeat'

export interface Frame {
  readonly kind: FrameKind
  readonly channel: number
  /** A view that is valid until the next frame is asked for. */
  readonly payload: Uint8Array
}

const KINDS: ReadonlyMap<number, FrameKind> = new Map([
  [METHOD, 'method'],
  [HEADER, 'header'],
  [BODY, 'body'],
  [HEARTBEAT, 'heartbeat'],
])

/** Cuts a stream of octets into frames. Holds at most what was pushed and not yet read. */
export class FrameReader {
  /** Lowered to what the client agreed to in the handshake. */
  largestFrameBytes = LARGEST_FRAME_BYTES
  #pending = new Uint8Array()

  /** Octets pushed and not yet handed out as frames. */
  get pendingBytes(): number {
    return this.#pending.length
  }

  /** Adds octets from the wire. They are copied: the caller may reuse its buffer. */
  push(bytes: Uint8Array): void {
    const joined = new Uint8Array(this.#pending.length + bytes.length)
    joined.set(this.#pending)
    joined.set(bytes, this.#pending.length)
    this.#pending = joined
  }

  /** Takes `length` octets off the front that are no frame (the protocol header); undefined until there are as many. */
  take(length: number): Uint8Array | undefined {
    if (this.#pending.length < length) return undefined
    const taken = this.#pending.subarray(0, length)
    this.#pending = this.#pending.subarray(length)
    return taken
  }

  /** What is there, for looking without taking. */
  peek(): Uint8Array {
    return this.#pending
  }

  /** The next whole frame, or undefined until more octets come. Throws 501 FRAME_ERROR for what cannot be a frame. */
  next(): Frame | undefined {
    if (this.#pending.length < HEAD_BYTES) return undefined
    const head = new OctetReader(this.#pending)
    const kind = KINDS.get(head.octet())
    const channel = head.short()
    const size = head.long()
    if (kind === undefined) throw new ProtocolError(501, `frame type ${this.#pending[0]} does not exist`)
    // Judged by the announced size, before any of it is waited for.
    if (size + ENVELOPE_BYTES > this.largestFrameBytes) {
      throw new ProtocolError(501, `a frame of ${size} octets is larger than frame_max ${this.largestFrameBytes}`)
    }
    if (this.#pending.length < size + ENVELOPE_BYTES) return undefined
    if (this.#pending[HEAD_BYTES + size] !== FRAME_END) throw new ProtocolError(501, 'a frame does not end in 0xCE')
    const taken = this.take(size + ENVELOPE_BYTES) ?? new Uint8Array()
    return { kind, channel, payload: taken.subarray(HEAD_BYTES, HEAD_BYTES + size) }
  }
}

/** What precedes a message's body: its size and its properties, still encoded. */
export interface ContentHeader {
  readonly bodyBytes: number
  readonly properties: Uint8Array
}

/** Reads the payload of a content header frame of class basic. */
export function readContentHeader(payload: Uint8Array): ContentHeader {
  const reader = new OctetReader(payload)
  const classId = reader.short()
  if (classId !== BASIC_CLASS)
    throw new ProtocolError(505, `a content header of class ${classId} follows basic.publish`)
  if (reader.short() !== 0) throw new ProtocolError(501, 'the weight of a content header is not zero')
  const bodyBytes = reader.longlong()
  return { bodyBytes, properties: reader.octets(reader.remaining) }
}

/** One heartbeat, complete. */
export const HEARTBEAT_FRAME: Uint8Array = Uint8Array.of(HEARTBEAT, 0, 0, 0, 0, 0, 0, FRAME_END)

/** Encodes one method as a complete frame. */
export function methodFrame<Name extends MethodName>(
  channel: number,
  name: Name,
  values: MethodArguments<Name>,
): Uint8Array {
  const writer = new OctetWriter()
  writeMethodFrame(writer, channel, name, values)
  return writer.written
}

function writeMethodFrame<Name extends MethodName>(
  writer: OctetWriter,
  channel: number,
  name: Name,
  values: MethodArguments<Name>,
): void {
  writer.octet(METHOD)
  writer.short(channel)
  writer.measured(() => writeMethod(writer, name, values))
  writer.octet(FRAME_END)
}

/** A message ready for the wire: its encoded properties and its body. */
export interface Content {
  readonly properties: Uint8Array
  readonly body: Uint8Array
}

/** Where and how large the frames may be. */
export interface FrameTarget {
  readonly channel: number
  readonly largestFrameBytes: number
}

/** Encodes a method that carries a message: method frame, content header, and as many body frames as it takes. */
export function contentFrames<Name extends MethodName>(
  target: FrameTarget,
  name: Name,
  values: MethodArguments<Name>,
  content: Content,
): Uint8Array {
  const { properties, body } = content
  const chunkBytes = target.largestFrameBytes - ENVELOPE_BYTES
  const writer = new OctetWriter(
    body.length + properties.length + 600 + ENVELOPE_BYTES * Math.ceil(body.length / chunkBytes),
  )
  writeMethodFrame(writer, target.channel, name, values)
  writer.octet(HEADER)
  writer.short(target.channel)
  writer.measured(() => {
    writer.short(BASIC_CLASS)
    writer.short(0)
    writer.longlong(body.length)
    writer.octets(properties)
  })
  writer.octet(FRAME_END)
  for (let start = 0; start < body.length; start += chunkBytes) {
    const chunk = body.subarray(start, start + chunkBytes)
    writer.octet(BODY)
    writer.short(target.channel)
    writer.longString(chunk)
    writer.octet(FRAME_END)
  }
  return writer.written
}
