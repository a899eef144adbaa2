import type { Exchange } from '../../gateway/core/exchange.ts'
import { readCookie } from '../../gateway/core/scope.ts'
import { Refusal } from './refusal.ts'

/** A token as the client sent it, and where it stood. */
export interface Presented {
  readonly token: string
  readonly from: 'authorization' | 'cookie'
}

const BEARER = /^bearer(?: |$)/i
const BEARER_TOKEN = /^bearer ([^\s,]+)$/i

/**
 * Finds the token: `Authorization: Bearer <token>` with exactly one space (RFC 6750 §2.1), else the cookie if one is
 * named. Undefined when the client sent no bearer credentials at all. Throws `Refusal` for malformed ones; two
 * `Authorization` fields, which arrive joined by a comma, are among these.
 */
export function presentedToken(exchange: Exchange, cookie: string | undefined): Presented | undefined {
  const authorization = exchange.request.headers.get('authorization')?.trim()
  if (authorization && BEARER.test(authorization)) {
    const [, token] = BEARER_TOKEN.exec(authorization) ?? []
    if (token !== undefined) return { token, from: 'authorization' }
    if (authorization.length > 'bearer'.length) throw new Refusal('malformed')
  }
  const token = cookie === undefined ? undefined : exchange.scope.cookie(cookie)
  return token ? { token, from: 'cookie' } : undefined
}

/** Takes the token out of what the upstream receives. */
export function withholdToken({ request, outgoing }: Exchange, cookie: string | undefined): void {
  if (BEARER.test(request.headers.get('authorization') ?? '')) outgoing.remove('authorization')
  const cookies = request.headers.get('cookie')
  if (cookie === undefined || readCookie(cookies, cookie) === undefined) return
  const others = (cookies ?? '').split(';').filter((pair) => pair.split('=', 1)[0]?.trim() !== cookie)
  if (others.length === 0) outgoing.remove('cookie')
  else outgoing.set('cookie', others.join(';').trim())
}
