import { XMLParser } from 'fast-xml-parser'
import { invalid } from '../invalid.ts'
import type { MediaType } from '../media-type.ts'
import { decode, toShown } from './decode.ts'
import type { Format } from './format.ts'
import { assertHarmless, resolveReferences } from './xml-markup.ts'

const MAX_DEPTH = 64

/**
 * XML 1.0 without document types. An element is its text, or, when it has attributes or elements within, a mapping of
 * `@name` for each attribute, `name` for each element (a list when there are several) and `#text` for what is left.
 * `lists` are elements that are lists even when alone.
 */
export function createXmlFormat(lists: readonly string[]): Format {
  const always = new Set(lists)
  return {
    accepts: (name) => name === 'application/xml' || name === 'text/xml' || name.endsWith('+xml'),
    read(bytes, type) {
      const text = decode(bytes, encodingOf(bytes, type))
      assertHarmless(text)
      const roots = parse(text).filter((node) => !('#text' in node))
      const [root] = roots
      if (!root || roots.length > 1) throw invalid('the XML has not exactly one root element')
      return toShown(gather([root], always).children)
    },
  }
}

/** Keeps the order and every text as it is: what they mean is worked out here, for names that JavaScript gives a meaning. */
const parser = new XMLParser({
  preserveOrder: true,
  ignoreAttributes: false,
  attributeNamePrefix: '@',
  cdataPropName: '#cdata',
  parseTagValue: false,
  processEntities: false,
  trimValues: false,
  ignoreDeclaration: true,
  ignorePiTags: true,
  jPath: false,
  // The parser counts from zero.
  maxNestedTags: MAX_DEPTH - 1,
  onDangerousProperty: (name) => name,
})

/** An element, `#text` or `#cdata` by its name, with what is in it; `:@` has the attributes. */
type Node = Readonly<Record<string, unknown>>

function parse(text: string): readonly Node[] {
  try {
    return parser.parse(text, true)
  } catch (error) {
    const [reason] = (error instanceof Error ? error.message : String(error)).split('\n')
    throw invalid(`the body is not valid XML: ${reason?.slice(0, 200)}`)
  }
}

/** RFC 7303 §3: a byte order mark goes first, then the content type, then the declaration. */
function encodingOf(bytes: Uint8Array, { charset }: MediaType): string {
  const [a, b] = bytes
  if (a === 0xff && b === 0xfe) return 'utf-16le'
  if (a === 0xfe && b === 0xff) return 'utf-16be'
  if (charset !== undefined) return charset
  const beginning = new TextDecoder('latin1').decode(bytes.subarray(0, 256))
  return (
    /^(?:ï»¿)?<\?xml[^>]*?\sencoding\s*=\s*["']([A-Za-z][\w.-]*)["']/.exec(beginning)?.[1]?.toLowerCase() ?? 'utf-8'
  )
}

interface Gathered {
  readonly text: string
  readonly children: Readonly<Record<string, unknown>>
}

function gather(nodes: readonly Node[], always: ReadonlySet<string>): Gathered {
  const found = new Map<string, unknown[]>()
  let text = ''
  for (const node of nodes) {
    const name = Object.keys(node).find((key) => key !== ':@') ?? ''
    if (name === '#text') text += resolveReferences(String(node[name]))
    else if (name === '#cdata') text += textOf(node[name] as readonly Node[])
    else {
      const value = toValue(
        node[name] as readonly Node[],
        (node[':@'] ?? {}) as Readonly<Record<string, string>>,
        always,
      )
      const same = found.get(name)
      if (same) same.push(value)
      else found.set(name, [value])
    }
  }
  const children = [...found].map(([name, values]) => [
    name,
    values.length > 1 || always.has(name) ? values : values[0],
  ])
  return { text: text.trim(), children: Object.fromEntries(children) }
}

function toValue(
  nodes: readonly Node[],
  written: Readonly<Record<string, string>>,
  always: ReadonlySet<string>,
): unknown {
  const attributes = Object.entries(written).map(([name, value]) => [name, resolveReferences(value)])
  const { text, children } = gather(nodes, always)
  if (attributes.length === 0 && Object.keys(children).length === 0) return text
  return { ...Object.fromEntries(attributes), ...children, ...(text === '' ? {} : { '#text': text }) }
}

function textOf(nodes: readonly Node[]): string {
  return nodes.map((node) => String(node['#text'] ?? '')).join('')
}
