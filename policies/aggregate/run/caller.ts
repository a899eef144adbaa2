import type { Exchange } from '../../../gateway/core/exchange.ts'
import { principal } from '../../../gateway/core/keys.ts'

/** Who is asking: whom `jwt` or `api-key` has established, else the address; undefined when neither is known. */
export function callerOf(exchange: Exchange): string | undefined {
  const known = exchange.get(principal)
  if (known) return `${known.via} ${known.id}`
  return exchange.client.ip === undefined ? undefined : `at ${exchange.client.ip}`
}
