import { invalid, quoted } from './invalid.ts'

/** What a reply says it is, in lower case. */
export interface MediaType {
  /** Without parameters, e.g. `application/json`. */
  readonly name: string
  readonly charset: string | undefined
}

const MEDIA_TYPE = /^([\w!#$&^.+-]+\/[\w!#$&^.+-]+)[\t ]*(?:;|$)/
const CHARSET = /;[\t ]*charset[\t ]*=[\t ]*"?([^\s";]*)/i

/** What has been read before: upstreams say the same few, again and again. */
const known = new Map<string, MediaType>()
const MAX_KNOWN = 64
const MAX_KNOWN_LENGTH = 128

/** Reads a `Content-Type`. Throws `PartFailure` when `accepts` does not hold of it. */
export function readMediaType(type: string | null, accepts: (name: string) => boolean): MediaType {
  if (type === null) throw invalid('the reply has no content type')
  const read = known.get(type) ?? remembered(type)
  if (read === undefined || !accepts(read.name)) throw invalid(`the content type is ${quoted(type)}`)
  return read
}

function remembered(type: string): MediaType | undefined {
  const name = MEDIA_TYPE.exec(type)?.[1]?.toLowerCase()
  const read = name === undefined ? undefined : { name, charset: CHARSET.exec(type)?.[1]?.toLowerCase() }
  if (known.size >= MAX_KNOWN) known.clear()
  if (read && type.length <= MAX_KNOWN_LENGTH) known.set(type, read)
  return read
}

/** Refuses every charset but UTF-8, for formats that have no other. */
export function assertUtf8({ charset }: MediaType): void {
  if (charset !== undefined && charset !== 'utf-8') throw invalid(`the charset is ${quoted(charset)}`)
}
