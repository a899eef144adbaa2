import { invalid, quoted } from './invalid.ts'

/** What a reply says it is, in lower case. */
export interface MediaType {
  /** Without parameters, e.g. `application/json`. */
  readonly name: string
  readonly charset: string | undefined
}

const MEDIA_TYPE = /^([\w!#$&^.+-]+\/[\w!#$&^.+-]+)[\t ]*(?:;|$)/
const CHARSET = /;[\t ]*charset[\t ]*=[\t ]*"?([^\s";]*)/i

/** Reads a `Content-Type`. Throws `PartFailure` when `accepts` does not hold of it. */
export function readMediaType(type: string | null, accepts: (name: string) => boolean): MediaType {
  if (type === null) throw invalid('the reply has no content type')
  const name = MEDIA_TYPE.exec(type)?.[1]?.toLowerCase()
  if (name === undefined || !accepts(name)) throw invalid(`the content type is ${quoted(type)}`)
  return { name, charset: CHARSET.exec(type)?.[1]?.toLowerCase() }
}

/** Refuses every charset but UTF-8, for formats that have no other. */
export function assertUtf8({ charset }: MediaType): void {
  if (charset !== undefined && charset !== 'utf-8') throw invalid(`the charset is ${quoted(charset)}`)
}
