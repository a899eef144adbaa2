import {
  CACHE_MS,
  type Each,
  FALLBACKS,
  ITEM_FALLBACK,
  MAX_BYTES,
  MOST_ITEMS,
  methodOf,
  nameOf,
  type OwnRead,
  type PartSpec,
  type Read,
  type Scenario,
  STALE_MS,
  THE_WORD,
  TIGHT_BYTES,
} from './test-scenario.ts'

/** How the client's word is read. */
const WORDS: Readonly<Record<OwnRead['of'], string>> = {
  query: '{query.word}',
  headers: '{headers.x-word}',
  cookies: '{cookies.word}',
  claims: '{claims.word}',
}

/** The options of the policy, as a file would have them: without bounds that are never reached, for which it is refused. */
export function toOptions({
  parts,
  fileOrder,
  totalMs,
  waitMs = Number.POSITIVE_INFINITY,
  concurrency,
}: Scenario): object {
  const isWaitAll = parts.every(({ required }) => !required)
  const endMs = isWaitAll ? Math.min(totalMs, waitMs) : totalMs
  const written = fileOrder.flatMap((number) => {
    const part = parts[number]
    return part ? [[nameOf(number), toPart(part, number, { endMs, concurrency })] as const] : []
  })
  return {
    ...(totalMs <= endMs && { timeout: `${totalMs}ms` }),
    concurrency,
    // The digest of a tag takes time of which a virtual clock knows nothing.
    etag: false,
    ...(waitMs < totalMs && { 'wait-for-optional': `${waitMs}ms` }),
    parts: Object.fromEntries(written),
  }
}

/** What ends all parts, and how many calls run at once. */
interface Bounds {
  readonly endMs: number
  readonly concurrency: number
}

function toPart(part: PartSpec, number: number, { endMs, concurrency }: Bounds): object {
  const { each } = part
  const value = (from: number) => `{parts.${nameOf(from)}.body.v}`
  const at = (place: Read['place']) => part.reads.filter((read) => read.place === place)
  const own = (place: OwnRead['place']) =>
    part.ownRead?.place === place ? [['ro', WORDS[part.ownRead.of]] as const] : []
  const fields = (place: Read['place']) => at(place).map(({ from }, i) => [`r${i}`, value(from)] as const)
  const segments = ['get', ...own('path').map(([, word]) => word), ...at('path').map(({ from }) => value(from))]
  const single = each && each.batch === undefined ? each.place : undefined
  const item = (place: Each['place']) => (single === place ? [['ri', '{item}'] as const] : [])
  if (single === 'path') segments.push('{item}')
  const source = each && `{parts.${nameOf(each.from)}.body.items}`
  return {
    upstream: nameOf(number),
    method: methodOf(part),
    path: `/${segments.join('/')}${each?.batch === undefined ? '' : '?ids={keys}'}`,
    query: Object.fromEntries([...fields('query'), ...item('query'), ...own('query')]),
    headers: Object.fromEntries([...fields('headers'), ...item('headers'), ...own('headers')]),
    ...(methodOf(part) === 'POST' && { safe: true, body: { told: Object.fromEntries(fields('body')) } }),
    required: part.required,
    success: part.succeeds,
    'max-bytes': `${part.tight ? TIGHT_BYTES : part.each ? 3 * MAX_BYTES : MAX_BYTES}B`,
    ...(part.passes404 && { 'pass-status': [404] }),
    ...(part.timeoutMs !== undefined && part.timeoutMs <= endMs && { timeout: `${part.timeoutMs}ms` }),
    ...(part.fallback && { fallback: FALLBACKS[part.fallback] }),
    ...(part.stale && { 'fallback-to': { stale: `${STALE_MS}ms` } }),
    ...(part.cached && { cache: `${CACHE_MS}ms` }),
    ...(part.after !== undefined && { after: [nameOf(part.after)] }),
    ...(part.when !== undefined && { when: toCondition(part.when) }),
    ...(each && {
      'for-each': {
        items: source,
        'at-most': MOST_ITEMS,
        ...(each.atOnce !== undefined && each.atOnce <= concurrency && { concurrency: each.atOnce }),
        ...(each.fallback && { fallback: ITEM_FALLBACK }),
      },
    }),
    ...(each?.batch !== undefined && { batch: { key: '{item}', join: 'k', in: 'hits', 'at-most': each.batch } }),
  }
}

function toCondition(when: Exclude<PartSpec['when'], undefined>): object {
  if (when === 'never') return { 'params.id': 2 }
  if (when === 'always') return { 'params.id': 1 }
  if (when === 'worded') return { 'headers.x-word': THE_WORD }
  return { [`parts.${nameOf(when.from)}.body.v`]: { exists: when.hasValue } }
}
