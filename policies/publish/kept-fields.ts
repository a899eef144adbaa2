import type { StoredRequest } from '../../gateway/core/events.ts'
import type { Exchange } from '../../gateway/core/exchange.ts'

/** What is asked for, and on what condition. Credentials are not among them: they would lie on the disk. */
const ABOUT_THE_REQUEST = [
  'accept',
  'accept-language',
  'idempotency-key',
  'if-match',
  'if-none-match',
  'if-unmodified-since',
  'prefer',
]

/** What the body is. */
const ABOUT_THE_BODY = ['content-encoding', 'content-language', 'content-type']

/** Of these only what the configuration names is kept, even where the gateway itself sets them. */
const CREDENTIALS = ['authorization', 'cookie', 'proxy-authorization']

/**
 * Chooses the fields of a request that are kept to be sent again: those above, `named` ones, and what the gateway itself
 * sets for the upstream, such as the caller's id. `headers` are those that would go to the upstream.
 */
export function fieldsToKeep(named: readonly string[]) {
  const kept = [...ABOUT_THE_REQUEST, ...named]
  const dropped = CREDENTIALS.filter((name) => !named.includes(name))

  return (exchange: Exchange, headers: Headers, hasBody: boolean): StoredRequest['headers'] => {
    const fields = new Headers()
    for (const name of hasBody ? [...kept, ...ABOUT_THE_BODY] : kept) {
      const value = headers.get(name)
      if (value !== null) fields.set(name, value)
    }
    exchange.outgoing.applyTo(fields)
    for (const name of dropped) fields.delete(name)
    // The client's own words about where it came in, for upstreams that make links of them.
    const { host, protocol } = exchange.client
    if (host !== '') fields.set('host', host)
    fields.set('x-forwarded-proto', protocol)
    return [...fields]
  }
}
