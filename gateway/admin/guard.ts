import type { MiddlewareHandler } from 'hono'
import { sha256 } from '../core/sha256.ts'

/** How the listener is reached, and what proves that somebody may look and decide. */
export interface AdminAccess {
  /** `server.admin.host`. */
  readonly host: string
  /** `server.admin.token`. */
  readonly token?: string | undefined
}

/** Why a request is refused, and how to mend it. */
interface Refusal {
  readonly status: 401 | 403 | 415
  readonly error: string
}

/**
 * Lets only operators pass: programs on this machine, or whoever has the token. A browser is no operator: any page it
 * shows can send requests to the loopback, and by rebinding its own name to 127.0.0.1 read the answers, so whatever a
 * browser says of itself refuses the request, the Host has to be this machine's, and a write has to be JSON, which no
 * form can send and no script of another site without a preflight that nobody answers.
 */
export function operatorsOnly(access: AdminAccess): MiddlewareHandler {
  const isAllowed = access.token === undefined ? hostCheck(access) : tokenCheck(access.token)
  return async (c, next) => {
    const refusal = browserRefusal(c.req.raw) ?? (await isAllowed(c.req.raw)) ?? writeRefusal(c.req.raw)
    if (!refusal) return next()
    const { status, error } = refusal
    return c.json({ error }, status, status === 401 ? { 'www-authenticate': 'Bearer' } : {})
  }
}

function browserRefusal({ headers }: Request): Refusal | undefined {
  // `none` is what somebody typed into the address bar.
  const site = headers.get('sec-fetch-site')
  if (!headers.has('origin') && (site === null || site === 'none')) return undefined
  return { status: 403, error: 'This is no place for pages of a browser: use the command line or curl' }
}

function writeRefusal({ method, headers }: Request): Refusal | undefined {
  if (method === 'GET' || method === 'HEAD') return undefined
  if (/^application\/json *(?:;|$)/i.test(headers.get('content-type') ?? '')) return undefined
  return { status: 415, error: 'Send this with content-type: application/json' }
}

const OPEN = 'it listens beyond this machine: set server.admin.token, and send it as a bearer token'
const LOOPBACK = /^(?:localhost|127(?:\.\d{1,3}){3}|\[?::1\]?)$/i

/** Whether an address can be reached from this machine only. */
export function isLoopback(host: string): boolean {
  return LOOPBACK.test(host)
}

type Check = (request: Request) => Refusal | undefined | Promise<Refusal | undefined>

function hostCheck({ host }: AdminAccess): Check {
  if (!isLoopback(host))
    return () => ({ status: 403, error: `The admin listener shows and changes nothing here, since ${OPEN}` })
  return ({ headers }) => {
    const named = (headers.get('host') ?? '').replace(/:\d{1,5}$/, '')
    if (isLoopback(named)) return undefined
    return { status: 403, error: 'The Host is none of this machine: ask 127.0.0.1, or set server.admin.token' }
  }
}

function tokenCheck(token: string): Check {
  const expected = sha256(token)
  return async ({ headers }) => {
    const [, given] = /^bearer +(\S+)$/i.exec(headers.get('authorization') ?? '') ?? []
    // Digests have one length, and a difference between them says nothing of the token.
    if (given !== undefined && (await sha256(given)) === (await expected)) return undefined
    return { status: 401, error: 'Send server.admin.token as a bearer token' }
  }
}
