import type { Plan } from './config/plan.ts'
import type { Departure } from './core/departure.ts'
import { editResponse } from './core/edit-response.ts'
import { GatewayError, toProblem } from './core/errors.ts'
import type { Exchange, Tunnel } from './core/exchange.ts'
import { type AskUpstream, UnknownUpstream } from './core/own-request.ts'
import { isPreflight } from './core/preflight.ts'
import type { Services, UpstreamServices } from './core/services.ts'
import { Stop } from './core/stop.ts'
import { createAccessLog, serverTiming } from './entry/access-log.ts'
import { answerAbort, answerFailure } from './entry/answer-failure.ts'
import { createClientReader, type Peer } from './entry/client.ts'
import { createExchange } from './entry/exchange.ts'
import { createOwnExchange } from './entry/own-exchange.ts'
import { checkDeclaredBody, checkRequest } from './entry/request-checks.ts'
import { RequestFields } from './entry/request-fields.ts'
import { readTrace } from './entry/trace.ts'
import { Visit } from './entry/visit.ts'
import { createRoutes, type Route } from './routes.ts'
import { createRouter, type Match, type Router } from './routing/router.ts'
import { harmless } from './services/telemetry/harmless.ts'
import type { Transport } from './upstream/transport.ts'
import { createUpstreams } from './upstream/upstreams.ts'

/** What the runtime knows of a connection and can do with it. */
export interface Connection extends Peer {
  /** Aborts when the client leaves before it has its answer. */
  readonly gone?: Departure
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

/** Compiles a checked configuration into a gateway. Everything that can be done ahead of a request happens here. */
export function createGateway(plan: Plan, { services: given, transport }: GatewayParts): Gateway {
  const reachable: UpstreamServices = { ...given, ...harmless(given) }
  const services: Services = { ...reachable, upstreams: createUpstreams(plan, transport, reachable) }
  const { clock, createId, random, log, metrics } = services
  const { limits, trust } = plan.server
  const findRoute = createRouteFinder(createRouter(createRoutes(plan, services)))
  const readClient = createClientReader(trust)
  const recordAnswer = createAccessLog(log, metrics)
  const requestLimits = { headers: limits.headers, headerCount: limits['header-count'], url: limits.url }
  let inFlight = 0

  const waitUntil = (work: Promise<unknown>) => {
    work.catch((error: unknown) => log.error('background work failed', { error: String(error) }))
  }

  function arrive(request: Request, fields: RequestFields, connection: Connection): Visit {
    const client = readClient(request, connection, fields.host ?? '')
    const told = client.trusted ? request.headers.get('x-request-id') : null
    const id = told !== null && REQUEST_ID.test(told) ? told : createId()
    return new Visit({ request, userAgent: fields.userAgent, id, client, startedAt: clock.now() }, leave)
  }

  /** From the door to the pipeline. Throws what the door refuses. */
  function admit(visit: Visit, fields: RequestFields, connection: Connection): void {
    if (inFlight > limits.concurrency) throw new GatewayError('overloaded', { headers: { 'retry-after': '1' } })
    const { request, id, client, startedAt } = visit
    const { path, search } = checkRequest(request, fields, requestLimits)
    visit.path = path
    const { route, params } = findRoute(request, path)
    checkDeclaredBody(fields, route.bodyLimit)
    const stop = new Stop()
    const exchange = createExchange({
      request,
      id,
      route: route.name,
      path,
      search,
      params,
      client,
      trace: readTrace(fields, random),
      bodyLimit: route.bodyLimit,
      now: clock.now,
      stop,
      deadline: startedAt + route.timeoutMs,
      upgrade: acceptTunnel(visit, connection),
      waitUntil: connection.waitUntil ?? waitUntil,
    })
    visit.begin(exchange, stop)
    visit.endAfter(route.timeoutMs, clock)
    visit.heed(connection.gone)
    void serve(visit, exchange, route)
  }

  /** The pipeline's answer counts unless another came before it, see `Visit`. */
  async function serve(visit: Visit, exchange: Exchange, route: Route): Promise<void> {
    try {
      let response: Response
      try {
        response = await route.handle(exchange)
      } catch (error) {
        response = answerFailure(error, exchange, log)
      }
      visit.settle(route.rewriteLocation ? route.rewriteLocation(response, exchange) : response)
    } catch (error) {
      visit.settle(answerAbort(error, exchange))
    }
  }

  function refuse(visit: Visit, error: unknown): Response {
    if (error instanceof GatewayError) visit.failure = error.code
    else log.error('unexpected error', { id: visit.id, error: error instanceof Error ? error.stack : String(error) })
    return toProblem(error, visit.id)
  }

  function leave(visit: Visit, response: Response): Response {
    inFlight--
    try {
      return tell(visit, response)
    } catch (error) {
      return tell(visit, refuse(visit, error))
    }
  }

  function tell(visit: Visit, response: Response): Response {
    const durationMs = clock.now() - visit.startedAt
    recordAnswer(visit, visit.switched ? 101 : response.status, durationMs)
    const wantsTiming = visit.client.trusted && visit.request.headers.has('x-server-timing')
    return stamp(response, visit.id, wantsTiming ? serverTiming(durationMs, visit.calls) : undefined)
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

    fetch(request, connection = {}) {
      const fields = new RequestFields(request.headers)
      const visit = arrive(request, fields, connection)
      inFlight++
      try {
        admit(visit, fields, connection)
      } catch (error) {
        visit.settle(refuse(visit, error))
      }
      return visit.answer
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

function acceptTunnel(visit: Visit, { upgrade }: Connection): Exchange['upgrade'] {
  if (!upgrade) return undefined
  return (tunnel) => {
    visit.switched = true
    upgrade(tunnel)
  }
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
