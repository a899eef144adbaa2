import { MalformedReply } from './malformed-reply.ts'

/** Longest size line with its extensions, and most bytes of trailers. */
const MAX_LINE = 4_096
const MAX_TRAILERS = 16_384

const CR = 13
const LF = 10

/** Who is given the data. */
export interface DataSink {
  body(data: Uint8Array): void
}

type State = 'size' | 'size-blank' | 'extension' | 'size-lf' | 'data' | 'data-cr' | 'data-lf' | 'trailer' | 'trailer-lf'

/** Takes the chunks out of a body (RFC 9112 §7.1), byte for byte as it comes. Trailers are read past. */
export class ChunkedBody {
  #state: State = 'size'
  #size = 0
  #digits = 0
  #line = 0
  /** Whether something stands behind the semicolon of an extension. */
  #isNamed = false
  #trailers = 0
  /** Bytes of the trailer line so far; an empty one ends the body. */
  #trailerLine = 0

  /**
   * Reads on from `at`, and gives the data to `sink`. Returns where the body ended, or -1 when it goes on. Throws
   * `MalformedReply`.
   */
  read(bytes: Uint8Array, at: number, sink: DataSink): number {
    let i = at
    while (i < bytes.length) {
      if (this.#state === 'data') {
        const end = Math.min(bytes.length, i + this.#size)
        sink.body(bytes.subarray(i, end))
        this.#size -= end - i
        i = end
        if (this.#size === 0) this.#state = 'data-cr'
        continue
      }
      const isOver = this.#take(bytes[i] ?? 0)
      i++
      if (isOver) return i
    }
    return -1
  }

  /** True once the byte ended the body. */
  #take(byte: number): boolean {
    switch (this.#state) {
      case 'size':
        this.#takeSize(byte)
        return false
      case 'size-blank':
        if (byte === SEMICOLON) this.#beginExtension()
        else if (byte === CR) this.#state = 'size-lf'
        else if (byte !== SPACE && byte !== TAB) throw new MalformedReply('a chunk size that is none')
        this.#countLine()
        return false
      case 'extension':
        if (byte === CR && this.#isNamed) this.#state = 'size-lf'
        else if (!isFieldByte(byte)) throw new MalformedReply('a chunk extension that is none')
        this.#isNamed ||= byte !== SPACE && byte !== TAB
        this.#countLine()
        return false
      case 'size-lf':
        this.#expect(byte, LF)
        this.#state = this.#size === 0 ? 'trailer' : 'data'
        this.#digits = 0
        this.#line = 0
        return false
      case 'data-cr':
        this.#expect(byte, CR)
        this.#state = 'data-lf'
        return false
      case 'data-lf':
        this.#expect(byte, LF)
        this.#state = 'size'
        return false
      case 'trailer':
        if (++this.#trailers > MAX_TRAILERS) throw new MalformedReply(`trailers of more than ${MAX_TRAILERS} bytes`)
        if (byte === CR) this.#state = 'trailer-lf'
        else if (!isFieldByte(byte)) throw new MalformedReply('a trailer that is none')
        else this.#trailerLine++
        return false
      case 'trailer-lf': {
        this.#expect(byte, LF)
        const isOver = this.#trailerLine === 0
        this.#trailerLine = 0
        this.#state = 'trailer'
        return isOver
      }
      default:
        throw new TypeError(`No byte is taken in state ${this.#state}`)
    }
  }

  #takeSize(byte: number): void {
    const digit = hexDigit(byte)
    if (digit >= 0) {
      // Twelve digits are more than any reply has, and still an exact number.
      if (++this.#digits > 12) throw new MalformedReply('a chunk size beyond all numbers')
      this.#size = this.#size * 16 + digit
      return
    }
    if (this.#digits === 0) throw new MalformedReply('a chunk size that is none')
    if (byte === CR) this.#state = 'size-lf'
    else if (byte === SEMICOLON) this.#beginExtension()
    else if (byte === SPACE || byte === TAB) this.#state = 'size-blank'
    else throw new MalformedReply('a chunk size that is none')
  }

  #beginExtension(): void {
    this.#state = 'extension'
    this.#isNamed = false
  }

  #countLine(): void {
    if (++this.#line > MAX_LINE) throw new MalformedReply(`a chunk extension of more than ${MAX_LINE} bytes`)
  }

  #expect(byte: number, wanted: number): void {
    if (byte !== wanted) throw new MalformedReply('a chunk without its end')
  }
}

const SEMICOLON = 0x3b
const SPACE = 0x20
const TAB = 0x09

function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30
  const letter = byte | 0x20
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1
}

/** Everything a field may hold: no control characters but the tab. */
function isFieldByte(byte: number): boolean {
  return byte === TAB || (byte >= SPACE && byte !== 0x7f)
}
