import type { Plan } from './config/plan.ts'
import { ClientGone, GatewayError, toProblem } from './core/errors.ts'
import type { Exchange, Tunnel } from './core/exchange.ts'
import type { ExchangeRecord } from './core/record.ts'
import type { Services, UpstreamServices } from './core/services.ts'
import { recordAnswer, serverTiming } from './entry/access-log.ts'
import { createClientReader, type Peer } from './entry/client.ts'
import { createExchange } from './entry/exchange.ts'
import { checkDeclaredBody, checkRequest, type Target } from './entry/request-checks.ts'
import { readTrace } from './entry/trace.ts'
import { createRoutes, type Route } from './routes.ts'
import { createRouter } from './routing/router.ts'
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
  const upstreams = createUpstreams(plan, transport, given)
  const services: Services = { ...given, upstreams }
  const { clock, createId, random, log, metrics } = services
  const router = createRouter(createRoutes(plan, services))
  const readClient = createClientReader(plan.server.trust)
  const { limits } = plan.server
  const checks = {
    headers: limits.headers,
    headerCount: limits['header-count'],
    url: limits.url,
  }
  let inFlight = 0

  const background = (work: Promise<unknown>) => {
    work.catch((error: unknown) => log.error('background work failed', { error: String(error) }))
  }

  function findRoute(request: Request, { path }: Target) {
    const wanted = request.method === 'OPTIONS' ? request.headers.get('access-control-request-method') : null
    const preflight = wanted === null ? undefined : router.match(wanted, path)
    const match =
      preflight?.kind === 'found' && preflight.route.preflight ? preflight : router.match(request.method, path)
    if (match.kind === 'found') return match
    if (match.kind === 'not-found') throw new GatewayError('route-not-found')
    throw new GatewayError('method-not-allowed', { headers: { allow: match.allow.join(', ') } })
  }

  async function run(exchange: Exchange, route: Route, controller: AbortController): Promise<Response> {
    const cancelDeadline = clock.after(route.timeoutMs, () => controller.abort(deadlinePassed(exchange)))
    try {
      return await Promise.race([route.handle(exchange), aborted(controller.signal)])
    } catch (error) {
      const failure = error instanceof GatewayError ? error.code : 'client-gone'
      exchange.record.failure = failure
      // Calls that have not noticed yet are logged as they will end.
      for (const call of exchange.record.calls) if (call.durationMs === undefined) call.failure = failure
      return error instanceof ClientGone ? new Response(null, { status: 499 }) : toProblem(error, exchange.id)
    } finally {
      cancelDeadline()
    }
  }

  return {
    get inFlight() {
      return inFlight
    },

    async fetch(request, connection = {}) {
      const startedAt = clock.now()
      const client = readClient(request, connection)
      const given = client.trusted ? request.headers.get('x-request-id') : null
      const id = given !== null && REQUEST_ID.test(given) ? given : createId()
      let target: Target | undefined
      let exchange: Exchange | undefined
      let response: Response
      let switched = false
      const upgrade = connection.upgrade
      const refusal: ExchangeRecord = { calls: [], policies: {} }
      inFlight++
      try {
        if (inFlight > limits.concurrency) throw new GatewayError('overloaded', { headers: { 'retry-after': '1' } })
        target = checkRequest(request, checks)
        const { route, params } = findRoute(request, target)
        checkDeclaredBody(request, route.bodyLimit)
        const controller = new AbortController()
        connection.gone?.addEventListener('abort', () => controller.abort(new ClientGone()), { once: true })
        exchange = createExchange({
          request,
          id,
          route: route.name,
          ...target,
          params,
          client,
          trace: readTrace(request.headers, random),
          bodyLimit: route.bodyLimit,
          signal: controller.signal,
          deadline: startedAt + route.timeoutMs,
          upgrade:
            upgrade &&
            ((tunnel) => {
              switched = true
              upgrade(tunnel)
            }),
          waitUntil: connection.waitUntil ?? background,
        })
        response = await run(exchange, route, controller)
      } catch (error) {
        if (error instanceof GatewayError) refusal.failure = error.code
        else log.error('unexpected error', { id, error: error instanceof Error ? error.stack : String(error) })
        response = toProblem(error, id)
      } finally {
        inFlight--
      }
      const durationMs = clock.now() - startedAt
      const record = exchange?.record ?? refusal
      recordAnswer(
        {
          request,
          id,
          status: switched ? 101 : response.status,
          durationMs,
          clientIp: client.ip,
          path: target?.path,
          exchange,
          record,
        },
        log,
        metrics,
      )
      const timing =
        client.trusted && request.headers.has('x-server-timing') ? serverTiming(durationMs, record.calls) : undefined
      return stamp(response, id, timing)
    },
  }
}

function deadlinePassed({ body }: Exchange): GatewayError {
  return body.isReading
    ? new GatewayError('request-timeout')
    : new GatewayError('upstream-timeout', { detail: 'The total time for this route is up' })
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason)
    else signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  })
}

/** Marks a response as the gateway's. Responses made by `Response.redirect` and the like cannot be changed, so they are copied. */
function stamp(response: Response, id: string, timing: string | undefined): Response {
  try {
    const { headers } = response
    headers.set('x-request-id', id)
    const via = headers.get('via')
    headers.set('via', via === null ? VIA : `${via}, ${VIA}`)
    if (timing !== undefined) headers.append('server-timing', timing)
    return response
  } catch {
    return stamp(new Response(response.body, response), id, timing)
  }
}
