import type { OptionMistake } from '../../../gateway/core/policy.ts'
import type { AggregateOptions } from '../options.ts'

/** What cannot be sent part by part: it needs the whole answer, or a head that is written last. */
export function streamMistakes({ stream, parts, body, transform, static: fixed }: AggregateOptions): OptionMistake[] {
  if (!stream) return []
  const message = 'cannot be streamed: it needs every part; remove it, or "stream"'
  const inOnePiece = 'cannot be streamed: each part is sent under its own name; remove it, or "stream"'
  const tooLate =
    'cannot be streamed: the fields of a stream are sent before the replies are there; remove it, or "stream"'
  const hasFixed = Object.values(fixed).some((members) => Object.keys(members).length > 0)
  return [
    ...(body === undefined ? [] : [{ path: ['body'], message }]),
    ...(transform ? [{ path: ['transform'], message }] : []),
    ...(hasFixed ? [{ path: ['static'], message }] : []),
    ...Object.entries(parts).flatMap(([name, part]) => [
      ...(part.spread ? [{ path: ['parts', name, 'spread'], message: inOnePiece }] : []),
      ...(part.group === undefined ? [] : [{ path: ['parts', name, 'group'], message: inOnePiece }]),
      ...(part['response-headers'] ? [{ path: ['parts', name, 'response-headers'], message: tooLate }] : []),
    ]),
  ]
}
