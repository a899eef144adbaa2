/** Why a request target is refused, or the one spelling of it that is both routed and forwarded. */
export type NormalizedPath = { readonly path: string } | { readonly refusal: string }

const UNRESERVED = /^[A-Za-z0-9._~-]$/

/**
 * Brings a path into its one normal form (RFC 3986 §6.2.2): escapes of unreserved characters are undone, hex digits
 * are upper case, dot segments are resolved. What two parsers could read differently is refused: encoded slashes and
 * backslashes, backslashes, NUL and other control characters, empty segments in the middle, malformed escapes and
 * escapes that are not UTF-8 (overlong ones hide slashes from some decoders).
 */
export function normalizePath(raw: string): NormalizedPath {
  if (isPlainPath(raw)) return { path: raw }
  if (!raw.startsWith('/')) return { refusal: 'The path must begin with "/"' }
  if (raw.includes('\\')) return { refusal: 'The path holds a backslash' }
  if (CONTROL.test(raw)) return { refusal: 'The path holds a control character or a space' }

  let refusal: string | undefined
  const path = raw.replace(/%(..?)?/g, (encoded, digits: string | undefined) => {
    if (digits === undefined || !/^[0-9A-Fa-f]{2}$/.test(digits)) {
      refusal = 'The path holds a malformed percent-encoding'
      return encoded
    }
    const code = Number.parseInt(digits, 16)
    if (code === 0x2f || code === 0x5c) refusal = 'The path holds an encoded slash or backslash'
    if (code < 0x20 || code === 0x7f) refusal = 'The path holds an encoded control character'
    const character = String.fromCharCode(code)
    return UNRESERVED.test(character) ? character : encoded.toUpperCase()
  })
  if (refusal !== undefined) return { refusal }
  if (!isUtf8(path)) return { refusal: 'The path is not UTF-8' }
  if (path.includes('//')) return { refusal: 'The path holds an empty segment' }
  return { path: resolveDots(path) }
}

/** The common case: nothing to undo, nothing to refuse. */
export function isPlainPath(raw: string): boolean {
  return PLAIN.test(raw)
}

const PLAIN = /^(?=\/)(?:\/[A-Za-z0-9_~!$&'()*+,;=:@-][A-Za-z0-9._~!$&'()*+,;=:@-]*)*\/?$/
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused
const CONTROL = /[\u0000-\u0020\u007f]/

function isUtf8(path: string): boolean {
  try {
    decodeURIComponent(path)
    return true
  } catch {
    return false
  }
}

function resolveDots(path: string): string {
  if (!path.includes('/.')) return path
  const kept: string[] = []
  const segments = path.slice(1).split('/')
  for (const [i, segment] of segments.entries()) {
    const isLast = i === segments.length - 1
    if (segment === '..') kept.pop()
    if (segment !== '.' && segment !== '..') kept.push(segment)
    else if (isLast) kept.push('')
  }
  return `/${kept.join('/')}`
}
