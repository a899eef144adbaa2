/** How an answer is sent: as one document, or part by part as lines or as server-sent events. */
export type Form = 'document' | 'lines' | 'events'

const STREAMS = [
  ['lines', 'application/x-ndjson'],
  ['events', 'text/event-stream'],
] as const

/**
 * The form a client prefers by `Accept` (RFC 9110 §12.5.1). A stream is for those who name it, and like it better than
 * the document: one that is only covered by `*` is for nobody.
 */
export function formFor({ method, headers }: Request): Form {
  const accept = method === 'HEAD' ? null : headers.get('accept')
  if (accept === null) return 'document'
  const ranges = rangesOf(accept)
  let form: Form = 'document'
  let best = qualityOf('application/json', ranges)
  for (const [stream, type] of STREAMS) {
    const quality = ranges.get(type) ?? 0
    if (quality > best) {
      form = stream
      best = quality
    }
  }
  return form
}

function qualityOf(type: string, ranges: ReadonlyMap<string, number>): number {
  const [main = ''] = type.split('/')
  return ranges.get(type) ?? ranges.get(`${main}/*`) ?? ranges.get('*/*') ?? 0
}

/** The quality of each range; of a range with several the highest. */
function rangesOf(accept: string): Map<string, number> {
  const ranges = new Map<string, number>()
  for (const element of accept.toLowerCase().split(',')) {
    const [range = '', ...parameters] = element.split(';').map((text) => text.trim())
    const weight = parameters.find((parameter) => parameter.startsWith('q='))?.slice(2)
    const quality = weight === undefined ? 1 : QUALITY.test(weight) ? Number(weight) : 0
    ranges.set(range, Math.max(quality, ranges.get(range) ?? 0))
  }
  return ranges
}

const QUALITY = /^(?:0(?:\.\d{0,3})?|1(?:\.0{0,3})?)$/
