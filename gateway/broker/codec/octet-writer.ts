const encoder = new TextEncoder()

/** Writes AMQP's primitive types into a buffer that grows as needed. */
export class OctetWriter {
  #bytes: Uint8Array
  #view: DataView
  #length = 0

  constructor(capacity = 256) {
    this.#bytes = new Uint8Array(capacity)
    this.#view = new DataView(this.#bytes.buffer)
  }

  get length(): number {
    return this.#length
  }

  /** What was written so far; a view, valid until the next write. */
  get written(): Uint8Array {
    return this.#bytes.subarray(0, this.#length)
  }

  octet(value: number): void {
    const at = this.#claim(1)
    this.#view.setUint8(at, value)
  }

  short(value: number): void {
    const at = this.#claim(2)
    this.#view.setUint16(at, value)
  }

  long(value: number): void {
    const at = this.#claim(4)
    this.#view.setUint32(at, value)
  }

  longlong(value: number | bigint): void {
    const at = this.#claim(8)
    this.#view.setBigUint64(at, BigInt.asUintN(64, BigInt(value)))
  }

  float(value: number): void {
    const at = this.#claim(4)
    this.#view.setFloat32(at, value)
  }

  double(value: number): void {
    const at = this.#claim(8)
    this.#view.setFloat64(at, value)
  }

  /** At most 255 octets of UTF-8; throws a `RangeError` for longer text. */
  shortString(value: string): void {
    const bytes = encoder.encode(value)
    if (bytes.length > 255)
      throw new RangeError(`Cannot write a short string of ${bytes.length} octets: at most 255 fit`)
    this.octet(bytes.length)
    this.octets(bytes)
  }

  longString(value: Uint8Array): void {
    this.long(value.length)
    this.octets(value)
  }

  octets(value: Uint8Array): void {
    const at = this.#claim(value.length)
    this.#bytes.set(value, at)
  }

  /** Writes a 32-bit length in front of whatever `write` writes. */
  measured(write: () => void): void {
    const at = this.#claim(4)
    write()
    this.#view.setUint32(at, this.#length - at - 4)
  }

  /** Makes room; the buffer may be another one afterwards, so claim first and use the view after. */
  #claim(length: number): number {
    const start = this.#length
    const end = start + length
    if (end > this.#bytes.length) this.#grow(end)
    this.#length = end
    return start
  }

  #grow(needed: number): void {
    const larger = new Uint8Array(Math.max(needed, this.#bytes.length * 2))
    larger.set(this.#bytes)
    this.#bytes = larger
    this.#view = new DataView(larger.buffer)
  }
}
