import { invalid, quoted } from './invalid.ts'

const JSON_TYPE = /^(?:application\/json|[\w!#$&^.-]+\/[\w!#$&^.+-]+\+json)[\t ]*(?:;|$)/i
const CHARSET = /;[\t ]*charset[\t ]*=[\t ]*"?([^\s";]*)/i

/** Refuses what is no JSON. RFC 8259 §11 has no charset; one that is named must be the one JSON is read in. */
export function checkMediaType(type: string | null): void {
  if (type === null) throw invalid('the reply has no content type')
  if (!JSON_TYPE.test(type)) throw invalid(`the content type is ${quoted(type)}`)
  const charset = CHARSET.exec(type)?.[1]
  if (charset !== undefined && charset.toLowerCase() !== 'utf-8') throw invalid(`the charset is ${quoted(charset)}`)
}
