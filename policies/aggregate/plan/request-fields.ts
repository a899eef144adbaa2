import type { Scope } from '../../../gateway/core/scope.ts'
import type { FieldList } from '../../../gateway/core/services.ts'
import type { PartOptions } from '../options.ts'
import { acceptedTypes } from './format.ts'

/** Languages of clients that are remembered at once, and the longest such text. */
const MAX_LANGUAGES = 64
const MAX_LANGUAGE_LENGTH = 128

/**
 * Compiles the header fields of a part's call. Nothing of the client's request goes on but the language and what is
 * written here; who the caller is, the gateway says. Throws `invalid-request` for a value no field may have.
 *
 * Where the fields read nothing, those of the same language are the same list, frozen, so that whoever sends it may keep
 * what it is on the wire.
 */
export function compileRequestFields(part: PartOptions): (scope: Scope) => FieldList {
  const headers = Object.entries(part.headers)
  const hasOwn = (name: string) => headers.some(([own]) => own === name)
  const fixed: FieldList = [
    ...(hasOwn('accept') ? [] : [['accept', acceptedTypes(part.as, part['content-type'])] as const]),
    ['accept-encoding', 'identity'],
    ...(part.body === undefined || hasOwn('content-type') ? [] : [['content-type', 'application/json'] as const]),
  ]
  const passesLanguage = !hasOwn('accept-language')
  const readsNothing = headers.every(([, { references }]) => references.length === 0)
  const known = new Map<string | undefined, FieldList>()

  return (scope) => {
    const language = passesLanguage ? scope.header('accept-language') : undefined
    if (!readsNothing || (language !== undefined && language.length > MAX_LANGUAGE_LENGTH)) return make(scope, language)
    const found = known.get(language)
    if (found) return found
    const made = Object.freeze(make(scope, language))
    if (known.size === MAX_LANGUAGES) known.clear()
    known.set(language, made)
    return made
  }

  function make(scope: Scope, language: string | undefined): FieldList {
    const all = [...fixed]
    if (language !== undefined) all.push(['accept-language', language])
    for (const [name, value] of headers) {
      const text = value.header(scope)
      if (text !== '') all.push([name, text])
    }
    return all
  }
}
