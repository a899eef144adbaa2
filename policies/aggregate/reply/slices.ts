const QUOTE = 0x22
const BACKSLASH = 0x5c
const COMMA = 0x2c
const OPEN_BRACKET = 0x5b
const CLOSE_BRACKET = 0x5d
const OPEN_BRACE = 0x7b
const CLOSE_BRACE = 0x7d
const LETTER_N = 0x6e
const COLON = 0x3a
const WHITESPACE: ReadonlySet<number | undefined> = new Set([0x20, 0x09, 0x0a, 0x0d])

type Json = Uint8Array<ArrayBuffer>

/**
 * The texts of a list's elements, as they stand in the text of the list, so that numbers keep all their digits. `json`
 * must be valid and begin with its bracket.
 */
export function elementsOf(json: Json): Json[] {
  const elements: Json[] = []
  for (let at = past(json, 1); json[at] !== CLOSE_BRACKET; ) {
    const end = endOfValue(json, at)
    elements.push(json.subarray(at, end))
    at = past(json, end)
    if (json[at] === COMMA) at = past(json, at + 1)
  }
  return elements
}

/** The texts of a mapping's values by key; of a key that stands twice the last, as `JSON.parse` has it. */
export function membersOf(json: Json): Map<string, Json> {
  const members = new Map<string, Json>()
  for (let at = past(json, 1); json[at] !== CLOSE_BRACE; ) {
    const keyEnd = endOfValue(json, at)
    const key = JSON.parse(new TextDecoder().decode(json.subarray(at, keyEnd))) as string
    // A colon, with or without spaces around it.
    const start = past(json, past(json, keyEnd) + 1)
    const end = endOfValue(json, start)
    members.set(key, json.subarray(start, end))
    at = past(json, end)
    if (json[at] === COMMA) at = past(json, at + 1)
  }
  return members
}

/** True for the text of a list, trimmed. */
export function isList(json: Json): boolean {
  return json[0] === OPEN_BRACKET
}

/** True for the text of a mapping, trimmed. */
export function isMapping(json: Json): boolean {
  return json[0] === OPEN_BRACE
}

/** True for the text of null, trimmed. */
export function isNull(json: Json): boolean {
  return json[0] === LETTER_N
}

/** The first place from `at` on that is no whitespace. */
function past(json: Json, at: number): number {
  let end = at
  while (WHITESPACE.has(json[end])) end++
  return end
}

function endOfValue(json: Json, start: number): number {
  let depth = 0
  for (let at = start; at < json.length; at++) {
    const octet = json[at]
    if (octet === QUOTE) {
      at = endOfText(json, at)
      if (depth === 0) return at + 1
    } else if (octet === OPEN_BRACKET || octet === OPEN_BRACE) depth++
    else if (octet === CLOSE_BRACKET || octet === CLOSE_BRACE) {
      if (depth === 0) return at
      if (--depth === 0) return at + 1
    } else if (depth === 0 && (octet === COMMA || WHITESPACE.has(octet))) return at
  }
  return json.length
}

/** The place of the closing quote. */
function endOfText(json: Json, open: number): number {
  let at = open + 1
  while (json[at] !== QUOTE && at < json.length) at += json[at] === BACKSLASH ? 2 : 1
  return at
}

/** One text of a list, of the texts of its elements. */
export function joinElements(elements: readonly Json[]): Json {
  const size = elements.reduce((sum, { byteLength }) => sum + byteLength, commas(elements) + 2)
  const text = new Uint8Array(size)
  text[0] = OPEN_BRACKET
  let end = 1
  for (const [i, element] of elements.entries()) {
    if (i > 0) text[end++] = COMMA
    text.set(element, end)
    end += element.byteLength
  }
  text[end] = CLOSE_BRACKET
  return text
}

/** One text of a mapping, of its names and the texts of their values. */
export function joinMembers(members: readonly (readonly [name: string, json: Json])[]): Json {
  return joinPairs(members.map(([name, json]) => [new TextEncoder().encode(JSON.stringify(name)), json]))
}

/** The same for names that are JSON texts already. */
export function joinPairs(pairs: readonly (readonly [name: Json, json: Json])[]): Json {
  const size = pairs.reduce((sum, [name, json]) => sum + name.byteLength + 1 + json.byteLength, commas(pairs) + 2)
  const text = new Uint8Array(size)
  text[0] = OPEN_BRACE
  let end = 1
  for (const [i, [name, json]] of pairs.entries()) {
    if (i > 0) text[end++] = COMMA
    text.set(name, end)
    end += name.byteLength
    text[end++] = COLON
    text.set(json, end)
    end += json.byteLength
  }
  text[end] = CLOSE_BRACE
  return text
}

function commas({ length }: readonly unknown[]): number {
  return Math.max(0, length - 1)
}
