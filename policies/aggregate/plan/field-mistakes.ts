import { FRAMING_FIELDS } from '../../../gateway/core/framing-fields.ts'
import type { OptionMistake } from '../../../gateway/core/policy.ts'
import type { AggregateOptions } from '../options.ts'

/** Fields of a reply that the answer has of its own, or that would be untrue of it. */
const OWN: ReadonlySet<string> = new Set([
  ...FRAMING_FIELDS,
  'accept-ranges',
  'age',
  'cache-control',
  'composition-complete',
  'composition-status',
  'content-digest',
  'content-disposition',
  'content-encoding',
  'content-location',
  'content-md5',
  'content-range',
  'content-type',
  'date',
  'digest',
  'etag',
  'expires',
  'last-modified',
  'pragma',
  'repr-digest',
  'via',
  'vary',
  'x-request-id',
])

/** Fields that cannot pass, or that two parts would give. */
export function fieldMistakes({ parts }: AggregateOptions): OptionMistake[] {
  const givers = new Map<string, string>()
  return Object.entries(parts).flatMap(([name, part]) => {
    const declared = part['response-headers'] ?? []
    const at = ['parts', name, 'response-headers']
    if (declared.length > 0 && part['for-each']) {
      return [{ path: at, message: 'is never used: the part is many replies, each with fields of its own' }]
    }
    return declared.flatMap((field, i) => {
      const giver = givers.get(field)
      givers.set(field, giver ?? name)
      const message = OWN.has(field)
        ? `"${field}" is the answer's own: leave it out`
        : giver !== undefined && (field !== 'set-cookie' || giver === name)
          ? `"${field}" comes from "${giver}" already`
          : undefined
      return message === undefined ? [] : [{ path: [...at, i], message }]
    })
  })
}
