import { GatewayError } from '../../gateway/core/errors.ts'
import type { Exchange } from '../../gateway/core/exchange.ts'
import { principal } from '../../gateway/core/keys.ts'
import { definePolicy } from '../../gateway/core/policy.ts'
import { type ClientKey, digestOf, findKey, toDigest } from './client-keys.ts'
import { type ApiKeyOptions, checkOptions, options } from './options.ts'
import { queryValues, withoutQueryKey } from './query-key.ts'

/** Longest key that is looked at, in UTF-16 units. */
const MAX_KEY_LENGTH = 512

/** Establishes the caller from an API key of which only the SHA-256 is known: 401 without a good one. */
export default definePolicy({
  name: 'api-key',
  at: 'route',
  options,
  provides: [principal],
  check: checkOptions,
  reserves: ({ 'client-header': header }) => (header === undefined ? [] : [header]),

  create(given, { clock }) {
    const { query, clients, optional, forward } = given
    const header = given.header ?? (query === undefined ? 'x-api-key' : undefined)
    const keys = toKeys(clients)
    const challenge = { 'www-authenticate': `ApiKey realm="${given.realm}"` }
    const place = header === undefined ? `query parameter "${query}"` : `header "${header}"`

    return async function apiKey(exchange, next) {
      const client = await identify(exchange)
      if (client !== undefined) {
        exchange.set(principal, { id: client, claims: clients[client]?.claims ?? {}, via: 'api-key' })
        if (given['client-header'] !== undefined) exchange.outgoing.set(given['client-header'], client)
      }
      if (forward) return next()
      if (header !== undefined) exchange.outgoing.remove(header)
      return query === undefined ? next() : next({ search: withoutQueryKey(exchange.search, query) })
    }

    /** The client's name; undefined for a caller without a key where that is allowed. */
    async function identify(exchange: Exchange): Promise<string | undefined> {
      const presented = presentedKeys(exchange)
      if (presented.length === 0) {
        exchange.record.policies['api-key'] = optional
          ? { outcome: 'anonymous' }
          : { outcome: 'refused', reason: 'missing' }
        if (optional) return undefined
        throw new GatewayError('missing-credentials', {
          detail: `Send an API key in the ${place}`,
          headers: challenge,
        })
      }
      const key = await known(presented)
      if (key && key.expiresAt > clock.now()) {
        exchange.record.policies['api-key'] = { outcome: 'accepted', client: key.client }
        return key.client
      }
      exchange.record.policies['api-key'] = { outcome: 'refused', reason: key ? 'expired' : 'unknown' }
      throw new GatewayError('invalid-credentials', { detail: 'The API key is not known', headers: challenge })
    }

    function presentedKeys({ request, search }: Exchange): string[] {
      const inHeader = header === undefined ? null : request.headers.get(header)
      if (inHeader) return [inHeader]
      return query === undefined ? [] : queryValues(search, query).filter((value) => value !== '')
    }

    /** Two keys in one request name no caller, even if both are known. */
    async function known([key = '', ...others]: readonly string[]): Promise<ClientKey | undefined> {
      if (others.length > 0 || key.length > MAX_KEY_LENGTH) return undefined
      return findKey(keys, await digestOf(key))
    }
  },
})

function toKeys(clients: ApiKeyOptions['clients']): readonly ClientKey[] {
  return Object.entries(clients).flatMap(([client, { keys }]) =>
    keys.map(({ hash, ...key }) => ({
      client,
      digest: toDigest(hash),
      expiresAt: ('expires' in key ? key.expires : undefined) ?? Number.POSITIVE_INFINITY,
    })),
  )
}
