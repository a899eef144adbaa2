import { z } from 'zod'
import { EMBEDDED_FORMS, parseEmbeddedBroker } from './broker-address.ts'

/** Whether what follows the scheme can be used: a mistake in it would otherwise show only when the service is opened. */
function isServiceUrl(text: string): boolean {
  const [, scheme = '', rest = ''] = /^([a-z]+:)(.*)$/s.exec(text) ?? []
  if (scheme === 'embedded:') return parseEmbeddedBroker(text) !== undefined
  if (scheme === 'memory:' || scheme === 'upstash:') return rest === ''
  if (scheme === 'sqlite:') return rest !== ''
  return URL.parse(text)?.hostname ? isDecodable(text) : false
}

function isDecodable(text: string): boolean {
  try {
    return decodeURIComponent(text) !== ''
  } catch {
    return false
  }
}

/** A field that takes an address of one of these schemes; `examples` names them in messages. */
export const serviceUrl = (schemes: readonly string[], examples: string) =>
  z.string().refine((text) => schemes.some((scheme) => text.startsWith(scheme)) && isServiceUrl(text), {
    // No more than the scheme is shown: these addresses hold passwords and tokens.
    error: ({ input }) => {
      const [scheme] = /^[a-z][a-z0-9+.-]*:/i.exec(String(input)) ?? []
      const found = scheme === undefined ? 'no scheme' : `"${scheme}…"`
      const isKnown = schemes.some((known) => String(input).startsWith(known))
      const forms = scheme === 'embedded:' ? `: write ${EMBEDDED_FORMS}` : ''
      return `expected ${examples}, found ${found}${isKnown ? `, which is no valid address${forms}` : ''}`
    },
  })
