import type { Fields } from '../../../gateway/core/read-reply.ts'

/** The fields of one reply that was composed, and how long it was remembered. */
export interface Head {
  readonly headers: Fields
  readonly ageMs?: number | undefined
}

/** What of one reply says how it may be cached (RFC 9111 §5.2.2); times in seconds, as far as they are left. */
interface Caching {
  readonly noStore: boolean
  readonly noCache: boolean
  readonly isPrivate: boolean
  readonly isPublic: boolean
  readonly maxAge: number
  readonly sharedMaxAge: number
  readonly flags: readonly string[]
}

/** Says nothing: nobody may use it again without asking. */
const SILENT: Caching = {
  noStore: false,
  noCache: true,
  isPrivate: false,
  isPublic: false,
  maxAge: 0,
  sharedMaxAge: 0,
  flags: [],
}

/**
 * The `Cache-Control` of an answer that is composed of several replies: the strictest of theirs, with the least time any
 * of them has left. One that says nothing counts as `no-cache`.
 */
export function strictestCaching(heads: readonly Head[], whose: Whose): string {
  const all = heads.length === 0 ? [SILENT] : heads.map(cachingOf)
  if (all.some(({ noStore }) => noStore)) return 'no-store'
  const isPrivate = whose !== 'anyone' || all.some((each) => each.isPrivate)
  const scope = isPrivate ? ['private'] : all.every(({ isPublic }) => isPublic) ? ['public'] : []
  const flags = KEPT_FLAGS.filter((flag) => all.some((each) => each.flags.includes(flag)))
  const life = whose === 'caller' || all.some(({ noCache }) => noCache) ? ['no-cache'] : lifetime(all, isPrivate)
  return [...scope, ...life, ...flags].join(', ')
}

/**
 * Whose an answer is, whatever its replies say: anyone's; that of requests which are alike, for no shared cache; or that
 * of a caller whom no cache can tell from others, so that it has to ask each time.
 */
export type Whose = 'anyone' | 'alike' | 'caller'

const KEPT_FLAGS = ['must-revalidate', 'proxy-revalidate', 'no-transform']

function lifetime(all: readonly Caching[], isPrivate: boolean): string[] {
  const maxAge = Math.min(...all.map((each) => each.maxAge))
  const shared = Math.min(...all.map((each) => each.sharedMaxAge))
  return [`max-age=${maxAge}`, ...(isPrivate || shared === maxAge ? [] : [`s-maxage=${shared}`])]
}

function cachingOf({ headers, ageMs = 0 }: Head): Caching {
  const field = headers.get('cache-control')
  if (field === null) return SILENT
  const directives = directivesOf(field)
  const has = (name: string) => directives.some((directive) => directive.name === name)
  const ageSeconds = Math.ceil(ageMs / 1_000) + (secondsOf(headers.get('age') ?? '') ?? 0)
  const left = (name: string) => {
    const given = directives.filter((directive) => directive.name === name).map(({ value }) => secondsOf(value) ?? 0)
    return given.length === 0 ? undefined : Math.max(0, Math.min(...given) - ageSeconds)
  }
  const maxAge = left('max-age')
  const sharedMaxAge = left('s-maxage')
  return {
    noStore: has('no-store'),
    noCache: has('no-cache') || (maxAge === undefined && sharedMaxAge === undefined),
    isPrivate: has('private'),
    isPublic: has('public'),
    maxAge: maxAge ?? 0,
    sharedMaxAge: sharedMaxAge ?? maxAge ?? 0,
    flags: KEPT_FLAGS.filter(has),
  }
}

const DIRECTIVE = /([!#$%&'*+.^_`|~0-9a-z-]+)(?:=(?:"([^"]*)"|([^\s",]*)))?/g

function directivesOf(field: string): { readonly name: string; readonly value: string }[] {
  return [...field.toLowerCase().matchAll(DIRECTIVE)].map(([, name = '', quoted, token]) => ({
    name,
    value: quoted ?? token ?? '',
  }))
}

/** Whole seconds (RFC 9111 §1.2.2); undefined for anything else. */
function secondsOf(text: string): number | undefined {
  return /^\d{1,10}$/.test(text) ? Number(text) : undefined
}
