import { invalid } from '../invalid.ts'

const MAX_MARKS = 50_000

/**
 * Comments, CDATA, processing instructions and tags, each as the parser ends them, and any other `<`. In a value of an
 * attribute XML has no `<` (§3.1), so that nothing within one can look like the beginning of something else.
 */
const MARKUP =
  /<!--[\s\S]*?-->|<!\[CDATA\[[\s\S]*?\]\]>|<\?(?!>)[\s\S]*?\?>|<\/[^<>]*>|<[^<>!?/"'][^<>"']*(?:(?:"[^"<]*"|'[^'<]*')[^<>"']*)*>|</g

/** The parser looks for the end of an instruction behind the quotes in it. */
const BALANCED = /^[^"']*(?:(?:"[^"]*"|'[^']*')[^"']*)*$/

/** What is counted or looked at, outside of comments, CDATA and instructions. */
const MARKS = /=\s*["']|&(?:amp|lt|gt|quot|apos|#\d{1,7}|#x[\da-fA-F]{1,6});|&/g

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
  let end = 0
  for (const { 0: markup, index } of text.matchAll(MARKUP)) {
    look(text.slice(end, index))
    end = index + markup.length
    count()
    if (markup === '<') throw invalid(strayOf(text[end]))
    if (markup.startsWith('<?')) assertBalanced(markup)
    else if (!markup.startsWith('<!')) look(markup)
  }
  look(text.slice(end))

  function look(piece: string): void {
    if (!piece.includes('&') && !piece.includes('=')) return
    for (const [mark] of piece.matchAll(MARKS)) {
      if (mark === '&') throw invalid('the XML refers to an entity it does not have')
      count()
    }
  }

  function count(): void {
    if (++marks > MAX_MARKS) throw invalid(`the XML has more than ${MAX_MARKS} elements, attributes and references`)
  }
}

function strayOf(next: string | undefined): string {
  return next === '!'
    ? 'the XML has a document type or an unfinished comment: neither is read'
    : 'the body is not valid XML: a "<" begins no tag'
}

function assertBalanced(instruction: string): void {
  if (!BALANCED.test(instruction)) throw invalid('the XML has an instruction with a quote that has no partner')
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
