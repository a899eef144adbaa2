import type { Mount, Plan, RoutePlan } from './config/plan.ts'
import { ClientGone, clientClosedRequest, GatewayError, toProblem } from './core/errors.ts'
import type { Exchange } from './core/exchange.ts'
import { type Handler, type Middleware, pipeline } from './core/pipeline.ts'
import type { RouteSite } from './core/policy.ts'
import type { ExchangeRecord } from './core/record.ts'
import type { Services } from './core/services.ts'
import { createRequestFilter } from './upstream/fields.ts'
import { createLocationRewriter } from './upstream/location.ts'
import { checkHandshake, isWebSocketHandshake } from './upstream/websocket.ts'

/** A route ready to answer: its policies folded around its upstream. */
export interface Route extends RoutePlan {
  readonly handle: Handler<Exchange>
  /** True when one of its policies answers CORS preflights. */
  readonly preflight: boolean
}

/** Compiles every route, once. */
export function createRoutes(plan: Plan, services: Services): Route[] {
  const forwardable = createRequestFilter(plan.reserved)
  const withPublicLocations = createLocationRewriter(plan)
  const recover = (error: unknown, exchange: Exchange) => answerFailure(error, exchange, services)
  return plan.routes.map((route) => {
    const forward = forwarding(route, forwardable)
    return {
      ...route,
      handle: withPublicLocations(
        route,
        pipeline(
          route.mounts.map((mount) => mountRoutePolicy(mount, services, forward)),
          terminalOf(route, plan, forward, services),
          recover,
        ),
      ),
      preflight: route.mounts.some(({ policy }) => policy.at === 'route' && policy.preflight),
    }
  })
}

type Forward = NonNullable<RouteSite['forward']>

/** What the upstream is asked, but for the body. Undefined when the route has none. */
function forwarding({ upstream }: RoutePlan, forwardable: (incoming: Headers) => Headers): Forward | undefined {
  if (!upstream) return undefined
  const pathOf = pathRenderer(upstream.path)
  return (exchange) => {
    const { method, headers: incoming } = exchange.request
    const headers = forwardable(incoming)
    // A body means nothing on these, and runtimes do not agree on passing one.
    if (isBodiless(method)) headers.delete('content-length')
    return { method, path: pathOf(exchange), headers }
  }
}

function isBodiless(method: string): boolean {
  return method === 'GET' || method === 'HEAD'
}

function mountRoutePolicy(
  { policy, options, site, readsBody }: Mount,
  services: Services,
  forward: Forward | undefined,
): Middleware<Exchange> {
  if (policy.at !== 'route') throw new TypeError(`${policy.name} is no route policy`)
  const middleware = policy.create(options, services, { ...site, ...(forward && { forward }) })
  if (!readsBody) return middleware
  return async (exchange, next) => {
    await exchange.body.json()
    return middleware(exchange, next)
  }
}

function terminalOf(route: RoutePlan, plan: Plan, forward: Forward | undefined, services: Services): Handler<Exchange> {
  const { upstream } = route
  if (!upstream || !forward) {
    return async () => {
      throw new TypeError(`Route ${route.name} has no upstream and its last policy called next`)
    }
  }
  const passesWebSockets = plan.upstreams.find(({ name }) => name === upstream.name)?.websocket ?? false
  const call = services.upstreams.get(upstream.name)
  return async (exchange) => {
    const { request } = exchange
    const websocket = isWebSocketHandshake(request)
    if (websocket) acceptHandshake(request, passesWebSockets)
    const body = isBodiless(request.method) ? null : exchange.body.take()
    return call(exchange, { ...forward(exchange), body, websocket })
  }
}

type UpstreamPath = NonNullable<RoutePlan['upstream']>['path']

/** Without a template the path goes on as it was matched; with one, the query goes on unless the template has its own. */
function pathRenderer(template: UpstreamPath): (exchange: Exchange) => string {
  if (!template) return ({ path, search }) => path + search
  if (template.source.includes('?')) return ({ scope }) => template.path(scope)
  return ({ scope, search }) => template.path(scope) + search
}

function acceptHandshake(request: Request, passesWebSockets: boolean): void {
  if (!passesWebSockets) throw new GatewayError('forbidden', { detail: 'This route passes no WebSockets on' })
  checkHandshake(request)
}

function answerFailure(error: unknown, exchange: Exchange, { log }: Services): Response {
  const { record, id } = exchange
  if (error instanceof ClientGone) {
    record.failure = 'client-gone'
    return clientClosedRequest()
  }
  if (error instanceof GatewayError) {
    record.failure = error.code
  } else {
    record.failure = 'internal-error'
    log.error('unexpected error', {
      id,
      route: exchange.route,
      error: error instanceof Error ? error.stack : String(error),
    })
  }
  return toProblem(noteLate(error, record), id)
}

/** The error with what the client should know of a request that was not answered in time. */
export function noteLate(error: unknown, { lateNote }: ExchangeRecord): unknown {
  if (lateNote === undefined || !(error instanceof GatewayError) || error.code !== 'upstream-timeout') return error
  const { code, headers, extensions, message, cause } = error
  return new GatewayError(code, { headers, extensions, cause, detail: `${message}. ${lateNote}` })
}
