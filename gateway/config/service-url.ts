import { z } from 'zod'
import { EMBEDDED_FORMS, parseEmbeddedBroker } from './broker-address.ts'
import { parseStoreAddress, REDIS_FORMS, SQLITE_FORMS, UPSTASH_FORMS } from './store-address.ts'

/** Whether what follows the scheme can be used: a mistake in it would otherwise show only when the service is opened. */
function isServiceUrl(text: string): boolean {
  if (text.startsWith('embedded:')) return parseEmbeddedBroker(text) !== undefined
  if (/^amqps?:/.test(text)) return URL.parse(text)?.hostname ? isDecodable(text) : false
  const address = parseStoreAddress(text)
  return address?.kind === 'redis' ? isDecodable(address.url) : address !== undefined
}

function isDecodable(text: string): boolean {
  try {
    return decodeURIComponent(text) !== ''
  } catch {
    return false
  }
}

/** How to write an address whose rest is wrong. */
const FORMS: Readonly<Record<string, string>> = {
  'embedded:': EMBEDDED_FORMS,
  'redis:': REDIS_FORMS,
  'rediss:': REDIS_FORMS,
  'upstash:': UPSTASH_FORMS,
  'sqlite:': SQLITE_FORMS,
}

/** A field that takes an address of one of these schemes; `examples` names them in messages. */
export const serviceUrl = (schemes: readonly string[], examples: string) =>
  z.string().refine((text) => schemes.some((scheme) => text.startsWith(scheme)) && isServiceUrl(text), {
    // No more than the scheme is shown: these addresses hold passwords and tokens.
    error: ({ input }) => {
      const [scheme = ''] = /^[a-z][a-z0-9+.-]*:/i.exec(String(input)) ?? []
      const found = scheme === '' ? 'no scheme' : `"${scheme}…"`
      const isKnown = schemes.some((known) => String(input).startsWith(known))
      const forms = FORMS[scheme] === undefined ? '' : `: write ${FORMS[scheme]}`
      return `expected ${examples}, found ${found}${isKnown ? `, which is no valid address${forms}` : ''}`
    },
  })
