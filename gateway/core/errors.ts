import { noteWhole } from './read-reply.ts'

/** Every way the gateway itself can refuse or fail. Codes are API: never renamed, never reused. */
export const FAILURES = {
  'invalid-request': { status: 400, title: 'The request is not valid' },
  'upstream-refused': { status: 400, title: 'A service refused the request' },
  'idempotency-key-required': { status: 400, title: 'An Idempotency-Key is required' },
  'missing-credentials': { status: 401, title: 'Credentials are missing' },
  'invalid-credentials': { status: 401, title: 'Credentials are not valid' },
  forbidden: { status: 403, title: 'The caller may not do this' },
  'route-not-found': { status: 404, title: 'No route answers this path' },
  'command-not-found': { status: 404, title: 'There is no such command' },
  'method-not-allowed': { status: 405, title: 'The route does not allow this method' },
  'request-timeout': { status: 408, title: 'The request did not arrive in time' },
  'idempotency-key-in-use': { status: 409, title: 'The Idempotency-Key is in use' },
  'body-too-large': { status: 413, title: 'The request body is too large' },
  'uri-too-long': { status: 414, title: 'The request target is too long' },
  'expectation-failed': { status: 417, title: 'The expectation cannot be met' },
  'idempotency-key-reused': { status: 422, title: 'The Idempotency-Key was used for another request' },
  'upgrade-required': { status: 426, title: 'The WebSocket handshake is not acceptable' },
  'rate-limited': { status: 429, title: 'Too many requests' },
  'headers-too-large': { status: 431, title: 'The request header section is too large' },
  'internal-error': { status: 500, title: 'The gateway failed' },
  'not-implemented': { status: 501, title: 'The gateway does not do this' },
  'upstream-unreachable': { status: 502, title: 'The upstream cannot be reached' },
  'upstream-invalid-response': { status: 502, title: 'The upstream sent no valid response' },
  'websocket-refused': { status: 502, title: 'The upstream did not accept the WebSocket' },
  'circuit-open': { status: 503, title: 'The upstream is temporarily unavailable' },
  overloaded: { status: 503, title: 'The gateway cannot take this request now' },
  'upstream-timeout': { status: 504, title: 'The upstream did not answer in time' },
} as const satisfies Record<string, { status: number; title: string }>

export type FailureCode = keyof typeof FAILURES

export interface FailureOptions {
  /** What the caller may read. Never holds internals: those go into `cause`, which only the log shows. */
  readonly detail?: string
  readonly headers?: Readonly<Record<string, string>>
  /** Further members of the problem document. */
  readonly extensions?: Readonly<Record<string, unknown>>
  readonly cause?: unknown
  /** In place of the table's, for `upstream-refused` alone: the 4xx the upstream answered with. */
  readonly status?: number
}

/** The only error a policy throws: a failure of the table above, rendered as `application/problem+json`. */
export class GatewayError extends Error {
  override readonly name = 'GatewayError'
  readonly code: FailureCode
  readonly detail: string | undefined
  readonly headers: Readonly<Record<string, string>>
  readonly extensions: Readonly<Record<string, unknown>>
  readonly status: number

  constructor(code: FailureCode, { detail, headers = {}, extensions = {}, cause, status }: FailureOptions = {}) {
    super(detail ?? FAILURES[code].title, { cause })
    this.code = code
    this.detail = detail
    this.headers = headers
    this.extensions = extensions
    this.status = status ?? FAILURES[code].status
  }
}

/** The abort reason when the client has left: nobody is to blame and nobody waits for an answer. */
export class ClientGone extends Error {
  override readonly name = 'ClientGone'

  constructor() {
    super('The client has left')
  }
}

/** Answers a client that has left: nobody reads it but the log, which shows nginx's number for it. */
export function clientClosedRequest(): Response {
  return new Response(null, { status: 499 })
}

/** Renders an error as an RFC 9457 problem; whatever is not a `GatewayError` becomes `internal-error` and says nothing. */
export function toProblem(error: unknown, instance: string): Response {
  const failure = error instanceof GatewayError ? error : new GatewayError('internal-error', { cause: error })
  const { status } = failure
  const problem = {
    type: `urn:sluice:problem:${failure.code}`,
    title: FAILURES[failure.code].title,
    status,
    ...(failure.detail === undefined ? {} : { detail: failure.detail }),
    instance,
    ...failure.extensions,
  }
  const headers = { 'content-type': 'application/problem+json', 'cache-control': 'no-store', ...failure.headers }
  return noteWhole(new Response(JSON.stringify(problem), { status, headers }))
}
