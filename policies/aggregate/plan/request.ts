import { GatewayError } from '../../../gateway/core/errors.ts'
import { compileJson } from '../../../gateway/core/json-template.ts'
import { referencesOfRequest, withQuery } from '../../../gateway/core/request-template.ts'
import type { Scope } from '../../../gateway/core/scope.ts'
import type { FieldList } from '../../../gateway/core/services.ts'
import { PartFailure } from '../failure.ts'
import type { PartOptions } from '../options.ts'
import { compileRequestFields } from './request-fields.ts'

/** A call as it will be made. */
export interface PartRequest {
  readonly method: string
  /** Path and query, encoded. */
  readonly path: string
  readonly fields: FieldList
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
  const fields = compileRequestFields(part)
  const body = part.body === undefined ? undefined : compileJson(part.body)
  const references = referencesOfRequest(part)
  const readsParts = references.some(({ root }) => REPLIES.has(root))
  const readsNothing = references.length === 0
  /** What a part that reads nothing asks, but for the language of the client: put together once. */
  let usual: PartRequest | undefined

  return (scope) => {
    if (!readsNothing) return word(scope)
    usual ??= word(scope)
    const own = fields(scope)
    return own === usual.fields ? usual : { method, path: usual.path, fields: own, body: usual.body }
  }

  function word(scope: Scope): PartRequest {
    try {
      const rendered = withQuery(path.path(scope), query, scope)
      if (rendered.length > MAX_PATH_LENGTH) {
        throw new Excess('path', MAX_PATH_LENGTH)
      }
      return { method, path: rendered, fields: fields(scope), body: body && bodyText(body(scope)) }
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error
      const { detail } = error
      const Failure = error instanceof Excess ? TooLong : PartFailure
      // What another part did not bring is an upstream's failure; what the client did not send is the client's.
      if (!readsParts) throw new Failure('input', { code: 'invalid-request', detail, cause: detail })
      throw new Failure('input', { cause: detail })
    }
  }
}

function bodyText(value: unknown): string | undefined {
  const text = JSON.stringify(value) as string | undefined
  if (text === undefined || text.length <= MAX_BODY_LENGTH) return text
  throw new Excess('body', MAX_BODY_LENGTH)
}

/** Roots whose values come from an upstream's reply, so that it is not the client who failed to send them. */
const REPLIES: ReadonlySet<string> = new Set(['parts', 'item', 'index', 'keys'])
