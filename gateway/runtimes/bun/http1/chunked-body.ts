import { MalformedReply } from './malformed-reply.ts'
import { piece } from './piece.ts'

/** Longest size line with its extensions, and most bytes of trailers. */
const MAX_LINE = 4_096
const MAX_TRAILERS = 16_384

/**
 * Data in smaller pieces is gathered: a view of each takes up a hundred times what is in it, and a reply in chunks of
 * one byte has as many of them as bytes.
 */
const LARGE_PIECE = 4_096

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
   * Reads on from `at`, and gives the data to `sink`. Returns where the body ended, or -1 when it goes on. The bytes are
   * the reader's own: it moves small pieces of data together in them. Throws `MalformedReply`.
   */
  read(bytes: Uint8Array, at: number, sink: DataSink): number {
    let i = at
    // What is gathered of the data, and not given yet.
    let start = at
    let end = at
    let isOver = false
    try {
      while (i < bytes.length && !isOver) {
        if (this.#state !== 'data') {
          isOver = this.#take(bytes[i] ?? 0)
          i++
          continue
        }
        const pieceEnd = Math.min(bytes.length, i + this.#size)
        this.#size -= pieceEnd - i
        if (this.#size === 0) this.#state = 'data-cr'
        if (end > start && pieceEnd - i < LARGE_PIECE) {
          bytes.copyWithin(end, i, pieceEnd)
          end += pieceEnd - i
        } else {
          if (end > start) sink.body(kept(bytes, start, end))
          start = i
          end = pieceEnd
        }
        i = pieceEnd
      }
    } finally {
      if (end > start) sink.body(kept(bytes, start, end))
    }
    return isOver ? i : -1
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

/** A few bytes of data must not keep all the extensions that came with them. */
function kept(bytes: Uint8Array, start: number, end: number): Uint8Array {
  const data = piece(bytes, start, end)
  return data.length * 16 < bytes.length ? new Uint8Array(data) : data
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
