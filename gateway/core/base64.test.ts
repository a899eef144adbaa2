import { expect, test } from 'bun:test'
import { toBase64, toBase64Url } from './base64.ts'

test('base64 text for addresses is base64 text with other signs and without padding, whatever the length', () => {
  for (let length = 0; length < 40; length++) {
    const bytes = Uint8Array.from({ length }, (_, i) => (i * 89 + length * 151) % 256)
    const plain = toBase64(bytes).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')
    expect(toBase64Url(bytes)).toBe(plain)
  }
})

test('base64 text for addresses has a sign for each value of six bits', () => {
  const bytes = Uint8Array.of(0x00, 0x10, 0x83, 0xfb, 0xef, 0xff)
  expect(toBase64Url(bytes)).toBe('ABCD--__')
})
