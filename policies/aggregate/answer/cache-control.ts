import type { Fields } from '../../../gateway/core/read-reply.ts'

/** The fields of one reply that was composed, and how long it was remembered. */
export interface Head {
  readonly headers: Fields
  readonly ageMs?: number | undefined
}

/**
 * Whose an answer is, whatever its replies say: anyone's; that of requests which are alike, for no shared cache; or that
 * of a caller whom no cache can tell from others, so that it has to ask each time.
 */
export type Whose = 'anyone' | 'alike' | 'caller'

/**
 * How an answer may be cached that is composed of several replies (RFC 9111 §5.2.2): as the strictest of theirs, with the
 * least time any of them has left, in seconds. One that says nothing counts as `no-cache`.
 */
export class Caching {
  #vary: Set<string> | undefined
  #flags: Set<string> | undefined
  #isEmpty = true
  #noStore = false
  #noCache = false
  #isPrivate = false
  #isPublic = true
  #maxAge = Number.POSITIVE_INFINITY
  #sharedMaxAge = Number.POSITIVE_INFINITY

  /** What any of the replies varies with, in lower case; undefined when none does with anything. */
  get vary(): ReadonlySet<string> | undefined {
    return this.#vary
  }

  /** One of the replies, and how long it was remembered. */
  add(headers: Fields, ageMs = 0): void {
    this.#isEmpty = false
    const vary = headers.get('vary')
    if (vary !== null) this.#addNames(vary)
    const field = headers.get('cache-control')
    if (field !== null) this.#addField(field, Math.ceil(ageMs / 1_000) + (secondsOf(headers.get('age') ?? '') ?? 0))
    else {
      this.#noCache = true
      this.#isPublic = false
    }
  }

  /** Calls ask for `identity`, so a reply that varies with the coding does not vary here. */
  #addNames(vary: string): void {
    for (const element of vary.toLowerCase().split(',')) {
      const name = element.trim()
      if (name === '' || name === 'accept-encoding') continue
      this.#vary ??= new Set()
      this.#vary.add(name)
    }
  }

  #addField(field: string, ageSeconds: number): void {
    let isPublic = false
    let maxAge: number | undefined
    let sharedMaxAge: number | undefined
    for (const [, name = '', quoted, token] of field.toLowerCase().matchAll(DIRECTIVE)) {
      if (name === 'no-store') this.#noStore = true
      else if (name === 'no-cache') this.#noCache = true
      else if (name === 'private') this.#isPrivate = true
      else if (name === 'public') isPublic = true
      else if (name === 'max-age') maxAge = least(maxAge, quoted ?? token)
      else if (name === 's-maxage') sharedMaxAge = least(sharedMaxAge, quoted ?? token)
      else if (KEPT_FLAGS.includes(name)) {
        this.#flags ??= new Set()
        this.#flags.add(name)
      }
    }
    this.#isPublic &&= isPublic
    this.#noCache ||= maxAge === undefined && sharedMaxAge === undefined
    this.#maxAge = Math.min(this.#maxAge, Math.max(0, (maxAge ?? 0) - ageSeconds))
    this.#sharedMaxAge = Math.min(this.#sharedMaxAge, Math.max(0, (sharedMaxAge ?? maxAge ?? 0) - ageSeconds))
  }

  /** The `Cache-Control` of the answer. */
  control(whose: Whose): string {
    if (this.#noStore) return 'no-store'
    const isPrivate = whose !== 'anyone' || this.#isPrivate
    const scope = isPrivate ? 'private, ' : this.#isPublic && !this.#isEmpty ? 'public, ' : ''
    const mustAsk = whose === 'caller' || this.#noCache || this.#isEmpty
    let field = `${scope}${mustAsk ? 'no-cache' : this.#lifetime(isPrivate)}`
    if (this.#flags) for (const flag of KEPT_FLAGS) if (this.#flags.has(flag)) field += `, ${flag}`
    return field
  }

  #lifetime(isPrivate: boolean): string {
    const shared = isPrivate || this.#sharedMaxAge === this.#maxAge ? '' : `, s-maxage=${this.#sharedMaxAge}`
    return `max-age=${this.#maxAge}${shared}`
  }
}

const KEPT_FLAGS = ['must-revalidate', 'proxy-revalidate', 'no-transform']

const DIRECTIVE = /([!#$%&'*+.^_`|~0-9a-z-]+)(?:=(?:"([^"]*)"|([^\s",]*)))?/g

/** Of a time that is given twice the lesser one counts, and none for one that is no number. */
function least(known: number | undefined, text = ''): number {
  return Math.min(known ?? Number.POSITIVE_INFINITY, secondsOf(text) ?? 0)
}

/** Whole seconds (RFC 9111 §1.2.2); undefined for anything else. */
function secondsOf(text: string): number | undefined {
  return /^\d{1,10}$/.test(text) ? Number(text) : undefined
}
