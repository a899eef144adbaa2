/** Beyond it the runtime keeps bytes outside of its heap, and a copy costs more than a view. */
const SMALL_BYTES = 1_000

/** That of `Buffer` would make a view. */
const copy = Uint8Array.prototype.slice

/**
 * Some of the bytes that have come, which nobody changes afterwards. A view of a small buffer makes Bun move all of it out of its heap,
 * which takes as long as the rest of reading a small reply: what is small is copied.
 */
export function piece(bytes: Uint8Array, start: number, end: number): Uint8Array {
  if (start === 0 && end === bytes.length) return bytes
  return end - start > SMALL_BYTES ? bytes.subarray(start, end) : copy.call(bytes, start, end)
}
