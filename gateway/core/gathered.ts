/** So many chunks are kept as they came before they are put together. */
const MANY = 256

/**
 * What has come of a body. Whoever sends it decides how small the chunks are, and as arrays of their own tiny ones would
 * take up a hundred times what is in them; so they are put together as they come.
 */
export class Gathered {
  #size = 0
  #parts: Uint8Array[] = []
  #latest: Uint8Array[] = []

  /** In bytes. */
  get size(): number {
    return this.#size
  }

  add(chunk: Uint8Array): void {
    this.#size += chunk.byteLength
    if (this.#latest.push(chunk) < MANY) return
    this.#parts.push(joined(this.#latest))
    this.#latest = []
  }

  /** All of it, in order, in a few arrays. */
  parts(): Uint8Array[] {
    return [...this.#parts, ...this.#latest]
  }

  /** All of it in one array. */
  whole(): Uint8Array<ArrayBuffer> {
    return joined(this.parts())
  }
}

/** All of them in one array. */
export function joined(chunks: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(chunks.reduce((size, { byteLength }) => size + byteLength, 0))
  let offset = 0
  for (const chunk of chunks) {
    all.set(chunk, offset)
    offset += chunk.byteLength
  }
  return all
}
