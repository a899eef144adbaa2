import { copyBytes } from '../../../core/copy-bytes.ts'

/** Beyond it the runtime keeps bytes outside of its heap, and a copy costs more than a view. */
const SMALL_BYTES = 1_000

/** Some of the bytes that have come, which nobody changes afterwards: what is small is copied. */
export function piece(bytes: Uint8Array, start: number, end: number): Uint8Array {
  if (start === 0 && end === bytes.length) return bytes
  return end - start > SMALL_BYTES ? bytes.subarray(start, end) : copyBytes(bytes, start, end)
}
