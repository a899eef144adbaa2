const CHUNK = 8_192

/** Bytes as base64 text (RFC 4648 §4). */
export function toBase64(bytes: Uint8Array): string {
  let binary = ''
  // All at once would be more arguments than an engine takes.
  for (let i = 0; i < bytes.length; i += CHUNK) binary += String.fromCharCode(...bytes.subarray(i, i + CHUNK))
  return btoa(binary)
}

/** The bytes again. Throws a `DOMException` when the text is no base64. */
export function fromBase64(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0))
}
