import { MAX_JSON_DEPTH } from '../../../gateway/core/body.ts'

export interface Bounds {
  readonly maxBytes: number
  /** Makes the error for a value that cannot be written. */
  fail(cause: string): Error
}

/** The JSON text of a value that an expression has made. Throws for what JSON or the bounds cannot hold. */
export function writeJson(value: unknown, { maxBytes, fail }: Bounds): Uint8Array<ArrayBuffer> {
  let left = maxBytes
  const pieces: string[] = []
  write(value ?? null, 0)
  const bytes = new TextEncoder().encode(pieces.join(''))
  if (bytes.byteLength > maxBytes) throw tooLarge()
  return bytes

  function tooLarge(): Error {
    return fail(`it gives more than ${maxBytes} bytes`)
  }

  /** No character has less than one byte. */
  function put(text: string): void {
    left -= text.length
    if (left < 0) throw tooLarge()
    pieces.push(text)
  }

  function write(given: unknown, depth: number): void {
    if (depth > MAX_JSON_DEPTH) throw fail(`it gives more than ${MAX_JSON_DEPTH} levels`)
    if (typeof given === 'number') put(numberText(given))
    else if (typeof given === 'string' || typeof given === 'boolean' || given === null) put(JSON.stringify(given))
    else if (Array.isArray(given)) writeList(given, depth)
    else if (typeof given === 'object' && !isFunction(given)) writeObject(given, depth)
    else throw fail('it gives a function')
  }

  function numberText(given: number): string {
    if (!Number.isFinite(given)) throw fail('it gives a number that JSON does not have')
    if (Number.isInteger(given) && !Number.isSafeInteger(given)) {
      throw fail('it gives a number of more digits than JavaScript keeps')
    }
    return JSON.stringify(given)
  }

  function writeList(given: readonly unknown[], depth: number): void {
    put('[')
    for (const [i, item] of given.entries()) {
      if (i > 0) put(',')
      write(item ?? null, depth + 1)
    }
    put(']')
  }

  function writeObject(given: object, depth: number): void {
    put('{')
    let isFirst = true
    for (const [key, inner] of Object.entries(given)) {
      if (inner === undefined) continue
      put(`${isFirst ? '' : ','}${JSON.stringify(key)}:`)
      isFirst = false
      write(inner, depth + 1)
    }
    put('}')
  }
}

/** Functions of JSONata are objects that hold one of JavaScript; a reply that has the names of theirs holds none. */
export function isFunction(value: object): boolean {
  if (typeof value === 'function') return true
  const { implementation, environment } = value as {
    implementation?: unknown
    environment?: { lookup?: unknown } | null
  }
  return typeof implementation === 'function' || typeof environment?.lookup === 'function'
}
