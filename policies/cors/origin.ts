import { z } from 'zod'
import { show } from '../../gateway/config/fields.ts'

/** An origin exactly as browsers send it (RFC 6454 §6.2): scheme, host and port, in lower case, nothing behind them. */
export const origin = z.string().superRefine((text, context) => {
  if (isOrigin(text)) return
  const meant = URL.parse(text)?.origin ?? 'null'
  const hint = meant === 'null' || !isOrigin(meant) ? 'such as "https://shop.example"' : `such as "${meant}"`
  context.addIssue({ code: 'custom', message: `expected an origin ${hint}, found ${show(text)}` })
})

const ORIGIN = /^[a-z][a-z0-9+.-]*:\/\/(?:[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::\d{1,5})?$/

/** Apps and extensions have schemes of their own, for which the URL standard knows no origin. */
function isOrigin(text: string): boolean {
  return ORIGIN.test(text) && (!/^https?:/.test(text) || URL.parse(text)?.origin === text)
}
