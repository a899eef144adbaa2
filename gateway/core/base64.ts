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

const URL_ALPHABET = new TextEncoder().encode('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_')
const ASCII = new TextDecoder()

/** A few bytes as base64 text for addresses, without padding (RFC 4648 §5). */
export function toBase64Url(bytes: Uint8Array): string {
  const text = new Uint8Array(Math.ceil((bytes.length * 8) / 6))
  for (let i = 0; i < text.length; i++) {
    const octet = (i * 6) >> 3
    const bits = ((bytes[octet] ?? 0) << 8) | (bytes[octet + 1] ?? 0)
    text[i] = URL_ALPHABET[(bits >> (10 - ((i * 6) & 7))) & 0x3f] ?? 0
  }
  return ASCII.decode(text)
}
