import { ProtocolError } from '../protocol-error.ts'

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Reads AMQP's primitive types from one frame's payload; reading past the end is a 502 SYNTAX_ERROR, never a stray value. */
export class OctetReader {
  readonly #bytes: Uint8Array
  readonly #view: DataView
  #offset = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  /** Octets not read yet. */
  get remaining(): number {
    return this.#bytes.length - this.#offset
  }

  octet(): number {
    return this.#view.getUint8(this.#advance(1))
  }

  signedOctet(): number {
    return this.#view.getInt8(this.#advance(1))
  }

  short(): number {
    return this.#view.getUint16(this.#advance(2))
  }

  signedShort(): number {
    return this.#view.getInt16(this.#advance(2))
  }

  long(): number {
    return this.#view.getUint32(this.#advance(4))
  }

  signedLong(): number {
    return this.#view.getInt32(this.#advance(4))
  }

  /** An unsigned 64-bit number. Values beyond 2^53 lose precision; no tag or size of ours is that large. */
  longlong(): number {
    return Number(this.#view.getBigUint64(this.#advance(8)))
  }

  signedLonglong(): bigint {
    return this.#view.getBigInt64(this.#advance(8))
  }

  float(): number {
    return this.#view.getFloat32(this.#advance(4))
  }

  double(): number {
    return this.#view.getFloat64(this.#advance(8))
  }

  shortString(): string {
    const bytes = this.octets(this.octet())
    try {
      return decoder.decode(bytes)
    } catch {
      throw new ProtocolError(502, 'a short string is not valid UTF-8')
    }
  }

  longString(): Uint8Array {
    return this.octets(this.long())
  }

  /** The next `length` octets, as a view on the frame: copy what must outlive it. */
  octets(length: number): Uint8Array {
    const start = this.#advance(length)
    return this.#bytes.subarray(start, start + length)
  }

  #advance(length: number): number {
    if (length > this.remaining) {
      throw new ProtocolError(502, `the frame ends ${length - this.remaining} octets too early`)
    }
    const start = this.#offset
    this.#offset += length
    return start
  }
}
