import { invalid } from '../invalid.ts'
import { assertUtf8 } from '../media-type.ts'
import { decode, toShown } from './decode.ts'
import type { Format } from './format.ts'

const MAX_FIELDS = 10_000

/** The fields of a form (WHATWG URL, `application/x-www-form-urlencoded`) by name; one that is repeated is a list. */
export const formFormat: Format = {
  accepts: (name) => name === 'application/x-www-form-urlencoded',
  read(bytes, type) {
    assertUtf8(type)
    const pairs = decode(bytes, 'utf-8')
      .split('&')
      .filter((pair) => pair !== '')
    if (pairs.length > MAX_FIELDS) throw invalid(`the form has more than ${MAX_FIELDS} fields`)
    const fields = new Map<string, string | string[]>()
    for (const pair of pairs) {
      const equals = pair.indexOf('=')
      const name = decoded(equals < 0 ? pair : pair.slice(0, equals))
      const value = equals < 0 ? '' : decoded(pair.slice(equals + 1))
      const known = fields.get(name)
      if (known === undefined) fields.set(name, value)
      else if (typeof known === 'string') fields.set(name, [known, value])
      else known.push(value)
    }
    return toShown(Object.fromEntries(fields))
  },
}

/** Strict, where `URLSearchParams` would put replacement characters. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '))
  } catch {
    throw invalid('the form has an escape that is no UTF-8')
  }
}
