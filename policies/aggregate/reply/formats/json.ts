import { parseJson } from '../../../../gateway/core/body.ts'
import type { PartFailure } from '../../failure.ts'
import { invalid } from '../invalid.ts'
import { assertUtf8 } from '../media-type.ts'
import type { Format } from './format.ts'

const JSON_TYPE = /^(?:application\/json|[^/]+\/[^/]+\+json)$/

/** JSON as RFC 8259 has it; the text stays as the upstream wrote it, so that every digit of a number is kept. */
export const jsonFormat: Format = {
  accepts: (name) => JSON_TYPE.test(name),
  read(bytes, type) {
    assertUtf8(type)
    return { json: trimmed(bytes), body: parseJson(bytes, malformed) }
  },
}

function malformed(detail: string): PartFailure {
  return invalid(`the body ${detail}`)
}

const BYTE_ORDER_MARK = [0xef, 0xbb, 0xbf]
const WHITESPACE: ReadonlySet<number | undefined> = new Set([0x20, 0x09, 0x0a, 0x0d])

/** Valid JSON text without byte order mark and surrounding whitespace, so that it can stand inside another one. */
function trimmed(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  let start = bytes[0] === BYTE_ORDER_MARK[0] && BYTE_ORDER_MARK.every((octet, i) => bytes[i] === octet) ? 3 : 0
  let end = bytes.byteLength
  while (WHITESPACE.has(bytes[start])) start++
  while (WHITESPACE.has(bytes[end - 1])) end--
  return end - start === bytes.byteLength ? bytes : bytes.subarray(start, end)
}
