/** Where counters and idempotency records are kept. */
export type StoreAddress =
  | { readonly kind: 'memory' }
  | { readonly kind: 'sqlite'; readonly path: string }
  | {
      readonly kind: 'redis'
      /** Without the prefix; may hold a password. */
      readonly url: string
      readonly prefix: string
    }
  | { readonly kind: 'upstash'; readonly prefix: string }

/** How addresses of a Redis may be written, for messages. */
export const REDIS_FORMS =
  'redis://host:6379, redis://host:6379/1 (a database) or redis://host:6379?prefix=shop-prod (letters, digits, ".", "_" and "-"), and nothing else after the host'

/** As above, for Upstash. */
export const UPSTASH_FORMS = 'upstash: or upstash:?prefix=shop-prod (letters, digits, ".", "_" and "-")'

/** As above, for a file. */
export const SQLITE_FORMS = 'sqlite:<path>, without "?" in the path'

const DEFAULT_PREFIX = 'sluice'

/** Without a colon, so that no two prefixes can make the same key. */
const PREFIX = /^\?prefix=([A-Za-z0-9._-]{1,64})$/

/**
 * Reads `memory:`, `sqlite:<path>`, `redis://…[/<database>][?prefix=…]`, `rediss://…` or `upstash:[?prefix=…]`; undefined for
 * any other text. Gateways with one Redis and one prefix share their counters and records, all others have their own.
 */
export function parseStoreAddress(text: string): StoreAddress | undefined {
  const [, scheme = '', rest = ''] = /^([a-z]+:)(.*)$/s.exec(text) ?? []
  switch (scheme) {
    case 'memory:':
      return rest === '' ? { kind: 'memory' } : undefined
    case 'sqlite:':
      return rest === '' || rest.includes('?') ? undefined : { kind: 'sqlite', path: rest }
    case 'upstash:': {
      const prefix = prefixOf(rest)
      return prefix === undefined ? undefined : { kind: 'upstash', prefix }
    }
    case 'redis:':
    case 'rediss:':
      return parseRedis(text)
    default:
      return undefined
  }
}

function parseRedis(text: string): StoreAddress | undefined {
  const url = URL.parse(text)
  // The client would take an unknown path for a database, or fail when it connects.
  if (!url?.hostname || url.hash !== '' || !/^(?:\/\d{0,5})?$/.test(url.pathname)) return undefined
  const prefix = prefixOf(url.search)
  if (prefix === undefined) return undefined
  url.search = ''
  return { kind: 'redis', url: url.href, prefix }
}

function prefixOf(query: string): string | undefined {
  return query === '' ? DEFAULT_PREFIX : PREFIX.exec(query)?.[1]
}
