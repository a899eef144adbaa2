import { invalid } from '../invalid.ts'

const MAX_MARKS = 50_000

/** Comments and CDATA as a whole, what may begin a declaration, and what is counted or looked at. */
const MARKS =
  /<!--[\s\S]*?-->|<!\[CDATA\[[\s\S]*?\]\]>|<!|<|=\s*["']|&(?:amp|lt|gt|quot|apos|#\d{1,7}|#x[\da-fA-F]{1,6});|&/g

/** Characters XML 1.0 §2.2 leaves out. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not be there.
const FORBIDDEN = /[\0-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]/

/**
 * Refuses before it is parsed what a parser could be harmed with: document types, and with them entities, and so much
 * markup that it would keep the process busy. Throws `PartFailure`.
 */
export function assertHarmless(text: string): void {
  if (FORBIDDEN.test(text)) throw invalid('the XML has a character that must not be there')
  let marks = 0
  for (const [mark] of text.matchAll(MARKS)) {
    if (mark === '<!') throw invalid('the XML has a document type or an unfinished comment: neither is read')
    if (mark === '&') throw invalid('the XML refers to an entity it does not have')
    if (++marks > MAX_MARKS) throw invalid(`the XML has more than ${MAX_MARKS} elements, attributes and references`)
  }
}

const REFERENCE = /&(?:(amp|lt|gt|quot|apos)|#(\d+)|#x([\da-fA-F]+));/g
const NAMED: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }

/** Puts characters in place of the references to them. Throws `PartFailure` for one that is no character. */
export function resolveReferences(text: string): string {
  return text.includes('&') ? text.replace(REFERENCE, toCharacter) : text
}

function toCharacter(_: string, name?: string, decimal?: string, hex?: string): string {
  if (name !== undefined) return NAMED[name] ?? ''
  const point = decimal === undefined ? Number.parseInt(hex ?? '', 16) : Number(decimal)
  const isCharacter = point <= 0x10ffff && !(point >= 0xd800 && point <= 0xdfff)
  const character = isCharacter ? String.fromCodePoint(point) : '\0'
  if (FORBIDDEN.test(character)) throw invalid('the XML refers to a character that must not be there')
  return character
}
