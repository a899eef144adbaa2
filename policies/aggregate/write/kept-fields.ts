import type { Exchange } from '../../../gateway/core/exchange.ts'
import type { FieldList } from '../../../gateway/core/services.ts'

/** Of these only what the configuration names is kept: they would lie on the disk. */
const CREDENTIALS = ['authorization', 'cookie', 'proxy-authorization']

/**
 * Chooses the fields that are kept to make a call later: those of the call, and what the gateway itself sets for upstreams,
 * such as the caller's id. Credentials stay out unless they are `named`.
 */
export function createFieldKeeping(named: readonly string[]) {
  const dropped = CREDENTIALS.filter((name) => !named.includes(name))

  return (exchange: Exchange, own: FieldList): FieldList => {
    const fields = new Headers(own.map(([name, value]): [string, string] => [name, value]))
    exchange.outgoing.applyTo(fields)
    for (const name of dropped) fields.delete(name)
    // The client's own words about where it came in, for upstreams that make links of them.
    const { host, protocol } = exchange.client
    if (host !== '') fields.set('host', host)
    fields.set('x-forwarded-proto', protocol)
    return [...fields]
  }
}
