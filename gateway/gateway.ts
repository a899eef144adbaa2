import type { Plan } from './config/plan.ts'
import { editResponse } from './core/edit-response.ts'
import { ClientGone, clientClosedRequest, type FailureCode, GatewayError, toProblem } from './core/errors.ts'
import type { Client, Exchange, Tunnel } from './core/exchange.ts'
import { type AskUpstream, UnknownUpstream } from './core/own-request.ts'
import { isPreflight } from './core/preflight.ts'
import type { Services, UpstreamServices } from './core/services.ts'
import { recordAnswer, serverTiming } from './entry/access-log.ts'
import { createClientReader, type Peer } from './entry/client.ts'
import { createExchange } from './entry/exchange.ts'
import { createOwnExchange } from './entry/own-exchange.ts'
import { checkDeclaredBody, checkRequest, type Target } from './entry/request-checks.ts'
import { readTrace } from './entry/trace.ts'
import { createRoutes, noteLate, type Route } from './routes.ts'
import { createRouter, type Match, type Router } from './routing/router.ts'
import type { Transport } from './upstream/transport.ts'
import { createUpstreams } from './upstream/upstreams.ts'

/** What the runtime knows of a connection and can do with it. */
export interface Connection extends Peer {
  /** Aborts when the client leaves before it has its answer. */
  readonly gone?: AbortSignal
  /** Joins the client's side of a WebSocket with an upstream's; absent where that cannot be done. */
  readonly upgrade?: (tunnel: Tunnel) => void
  /** Keeps the runtime alive for work that may outlive the response. */
  readonly waitUntil?: (work: Promise<unknown>) => void
}

/** A gateway is compiled once from a plan; nothing of it changes afterwards. */
export interface Gateway {
  /** Answers one request; never rejects. */
  fetch(request: Request, connection?: Connection): Promise<Response>
  /** Asks an upstream on the gateway's own account. */
  readonly ask: AskUpstream
  /** Requests that have no answer yet. */
  readonly inFlight: number
}

export interface GatewayParts {
  readonly services: UpstreamServices
  readonly transport: Transport
}

const REQUEST_ID = /^[A-Za-z0-9_.-]{1,128}$/
const VIA = '1.1 sluice'

/** One request from its arrival to its log line; filled in as more becomes known. */
interface Visit {
  readonly request: Request
  readonly connection: Connection
  readonly startedAt: number
  readonly id: string
  readonly client: Client
  target?: Target
  exchange?: Exchange
  /** True once a WebSocket was accepted: the response is not what the client sees. */
  switched: boolean
  failure?: FailureCode
}

/** Compiles a checked configuration into a gateway. Everything that can be done ahead of a request happens here. */
export function createGateway(plan: Plan, { services: given, transport }: GatewayParts): Gateway {
  const services: Services = { ...given, upstreams: createUpstreams(plan, transport, given) }
  const { clock, createId, random, log, metrics } = services
  const { limits, trust } = plan.server
  const findRoute = createRouteFinder(createRouter(createRoutes(plan, services)))
  const readClient = createClientReader(trust)
  const requestLimits = { headers: limits.headers, headerCount: limits['header-count'], url: limits.url }
  let inFlight = 0

  const waitUntil = (work: Promise<unknown>) => {
    work.catch((error: unknown) => log.error('background work failed', { error: String(error) }))
  }

  function arrive(request: Request, connection: Connection): Visit {
    const client = readClient(request, connection)
    const told = client.trusted ? request.headers.get('x-request-id') : null
    const id = told !== null && REQUEST_ID.test(told) ? told : createId()
    return { request, connection, startedAt: clock.now(), id, client, switched: false }
  }

  /** From the door to the pipeline. Throws what the door refuses. */
  function admit(visit: Visit): Promise<Response> {
    if (inFlight > limits.concurrency) throw new GatewayError('overloaded', { headers: { 'retry-after': '1' } })
    const { request, connection, id, client, startedAt } = visit
    const target = checkRequest(request, requestLimits)
    visit.target = target
    const { route, params } = findRoute(request, target.path)
    checkDeclaredBody(request, route.bodyLimit)
    const controller = new AbortController()
    const exchange = createExchange({
      request,
      id,
      route: route.name,
      ...target,
      params,
      client,
      trace: readTrace(request.headers, random),
      bodyLimit: route.bodyLimit,
      now: clock.now,
      signal: controller.signal,
      deadline: startedAt + route.timeoutMs,
      upgrade: acceptTunnel(visit),
      waitUntil: connection.waitUntil ?? waitUntil,
    })
    visit.exchange = exchange
    return run(exchange, route, controller, connection.gone)
  }

  /**
   * Runs the pipeline until it answers, the deadline passes or the client leaves, whichever comes first: a policy or
   * an upstream that ignores the signal must not keep anybody waiting.
   */
  function run(exchange: Exchange, route: Route, controller: AbortController, gone?: AbortSignal): Promise<Response> {
    return new Promise((resolve) => {
      let answered = false
      const settle = (response: Response) => {
        cancelDeadline()
        // A body nobody reads would keep its connection.
        if (answered) response.body?.cancel().catch(() => {})
        answered = true
        resolve(response)
      }
      const abort = (reason: Error) => {
        controller.abort(reason)
        settle(answerAbort(reason, exchange))
      }
      const cancelDeadline = clock.after(route.timeoutMs, () => abort(deadlinePassed(exchange)))
      // Stays when the answer has begun: the client may leave in the middle of the body.
      if (gone?.aborted) abort(new ClientGone())
      else gone?.addEventListener('abort', () => abort(new ClientGone()), { once: true })
      route.handle(exchange).then(settle, (error) => settle(answerAbort(error, exchange)))
    })
  }

  function refuse(visit: Visit, error: unknown): Response {
    if (error instanceof GatewayError) visit.failure = error.code
    else log.error('unexpected error', { id: visit.id, error: error instanceof Error ? error.stack : String(error) })
    return toProblem(error, visit.id)
  }

  function leave(visit: Visit, response: Response): Response {
    const { request, id, client, target, exchange, switched, failure } = visit
    const durationMs = clock.now() - visit.startedAt
    const record = exchange?.record ?? { calls: [], policies: {}, ...(failure && { failure }) }
    const status = switched ? 101 : response.status
    recordAnswer(
      { request, id, status, durationMs, clientIp: client.ip, path: target?.path, exchange, record },
      log,
      metrics,
    )
    const wantsTiming = client.trusted && request.headers.has('x-server-timing')
    return stamp(response, id, wantsTiming ? serverTiming(durationMs, record.calls) : undefined)
  }

  const upstreams = new Set(plan.upstreams.map(({ name }) => name))

  const ask: AskUpstream = async (upstream, own) => {
    if (!upstreams.has(upstream)) throw new UnknownUpstream(upstream)
    const { exchange, request } = createOwnExchange(own, { id: createId(), random, now: clock.now, waitUntil })
    return await services.upstreams.get(upstream)(exchange, request)
  }

  return {
    ask,

    get inFlight() {
      return inFlight
    },

    async fetch(request, connection = {}) {
      const visit = arrive(request, connection)
      inFlight++
      try {
        return leave(visit, await admit(visit))
      } catch (error) {
        return leave(visit, refuse(visit, error))
      } finally {
        inFlight--
      }
    },
  }
}

/** Finds the route that answers; a CORS preflight is answered by the route it asks about. Throws 404 and 405. */
function createRouteFinder(router: Router<Route>) {
  return (request: Request, path: string): Extract<Match<Route>, { kind: 'found' }> => {
    const wanted = isPreflight(request) ? request.headers.get('access-control-request-method') : null
    const preflight = wanted === null ? undefined : router.match(wanted, path)
    if (preflight?.kind === 'found' && preflight.route.preflight) return preflight
    const match = router.match(request.method, path)
    if (match.kind === 'found') return match
    if (match.kind === 'not-found') throw new GatewayError('route-not-found')
    throw new GatewayError('method-not-allowed', { headers: { allow: match.allow.join(', ') } })
  }
}

function acceptTunnel(visit: Visit): Exchange['upgrade'] {
  const { upgrade } = visit.connection
  if (!upgrade) return undefined
  return (tunnel) => {
    visit.switched = true
    upgrade(tunnel)
  }
}

function deadlinePassed({ body }: Exchange): GatewayError {
  return body.isReading
    ? new GatewayError('request-timeout')
    : new GatewayError('upstream-timeout', { detail: 'The total time for this route is up' })
}

/** The client left or the time was up before the pipeline noticed; its unfinished calls are logged as they will end. */
function answerAbort(error: unknown, { id, record }: Exchange): Response {
  record.failure =
    error instanceof GatewayError ? error.code : error instanceof ClientGone ? 'client-gone' : 'internal-error'
  for (const call of record.calls) if (call.durationMs === undefined) call.failure = record.failure
  return error instanceof ClientGone ? clientClosedRequest() : toProblem(noteLate(error, record), id)
}

/** Marks a response as the gateway's. */
function stamp(response: Response, id: string, timing: string | undefined): Response {
  return editResponse(response, (headers) => {
    headers.set('x-request-id', id)
    const via = headers.get('via')
    headers.set('via', via === null ? VIA : `${via}, ${VIA}`)
    if (timing !== undefined) headers.append('server-timing', timing)
  })
}
