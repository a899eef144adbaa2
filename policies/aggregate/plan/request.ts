import { GatewayError } from '../../../gateway/core/errors.ts'
import { compileJson } from '../../../gateway/core/json-template.ts'
import { referencesOfRequest, withQuery } from '../../../gateway/core/request-template.ts'
import type { Scope } from '../../../gateway/core/scope.ts'
import { PartFailure } from '../failure.ts'
import type { PartOptions } from '../options.ts'
import { acceptedTypes } from './format.ts'

/** A call as it will be made. */
export interface PartRequest {
  readonly method: string
  /** Path and query, encoded. */
  readonly path: string
  readonly fields: readonly (readonly [name: string, value: string])[]
  /** JSON text. */
  readonly body: string | undefined
}

/** Longest path a call may have; replies of other parts can stand in it. */
export const MAX_PATH_LENGTH = 16_384
/** Longest body, in characters. */
export const MAX_BODY_LENGTH = 1_048_576

/** A call would be too long, which is known only once its values are put together. */
export class TooLong extends PartFailure {}

class Excess extends GatewayError {
  constructor(what: 'path' | 'body', limit: number) {
    super('invalid-request', { detail: `its ${what} would have more than ${limit} characters` })
  }
}

/** Compiles what a part asks. The function throws `PartFailure` (`input`) when a value it needs is not there. */
export function compileRequest(part: PartOptions): (scope: Scope) => PartRequest {
  const { method, path } = part
  const query = Object.entries(part.query).map(([name, value]) => [encodeURIComponent(name), value] as const)
  const headers = Object.entries(part.headers)
  const hasOwn = (name: string) => headers.some(([own]) => own === name)
  const fixed: PartRequest['fields'] = [
    ...(hasOwn('accept') ? [] : [['accept', acceptedTypes(part.as, part['content-type'])] as const]),
    ['accept-encoding', 'identity'],
    ...(part.body === undefined || hasOwn('content-type') ? [] : [['content-type', 'application/json'] as const]),
  ]
  const passesLanguage = !hasOwn('accept-language')
  const body = part.body === undefined ? undefined : compileJson(part.body)
  const references = referencesOfRequest(part)
  const readsParts = references.some(({ root }) => REPLIES.has(root))
  const readsNothing = references.length === 0
  /** What a part that reads nothing asks on behalf of clients without a language, put together once. */
  let usual: PartRequest | undefined

  return (scope) => {
    const language = passesLanguage ? scope.header('accept-language') : undefined
    if (!readsNothing) return word(scope, language)
    usual ??= word(scope, undefined)
    return language === undefined ? usual : { ...usual, fields: fields(scope, language) }
  }

  function word(scope: Scope, language: string | undefined): PartRequest {
    try {
      const rendered = withQuery(path.path(scope), query, scope)
      if (rendered.length > MAX_PATH_LENGTH) {
        throw new Excess('path', MAX_PATH_LENGTH)
      }
      return { method, path: rendered, fields: fields(scope, language), body: body && bodyText(body(scope)) }
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error
      const { detail } = error
      const Failure = error instanceof Excess ? TooLong : PartFailure
      // What another part did not bring is an upstream's failure; what the client did not send is the client's.
      if (!readsParts) throw new Failure('input', { code: 'invalid-request', detail, cause: detail })
      throw new Failure('input', { cause: detail })
    }
  }

  /** Nothing of the client's request goes on but the language and what is written here; who the caller is, the gateway says. */
  function fields(scope: Scope, language: string | undefined): PartRequest['fields'] {
    if (language === undefined && headers.length === 0) return fixed
    const all = [...fixed]
    if (language !== undefined) all.push(['accept-language', language])
    for (const [name, value] of headers) {
      const text = value.header(scope)
      if (text !== '') all.push([name, text])
    }
    return all
  }
}

function bodyText(value: unknown): string | undefined {
  const text = JSON.stringify(value) as string | undefined
  if (text === undefined || text.length <= MAX_BODY_LENGTH) return text
  throw new Excess('body', MAX_BODY_LENGTH)
}

/** Roots whose values come from an upstream's reply, so that it is not the client who failed to send them. */
const REPLIES: ReadonlySet<string> = new Set(['parts', 'item', 'index', 'keys'])
