import type { Mount, Plan, RoutePlan } from './config/plan.ts'
import { GatewayError } from './core/errors.ts'
import type { Exchange } from './core/exchange.ts'
import { type Handler, type Middleware, pipeline } from './core/pipeline.ts'
import type { RouteSite } from './core/policy.ts'
import type { Services, UpstreamHandler } from './core/services.ts'
import { answerFailure } from './entry/answer-failure.ts'
import { createRequestFilter } from './upstream/fields.ts'
import { createLocationRewriter, type RewriteLocation } from './upstream/location.ts'
import { checkHandshake, isWebSocketHandshake } from './upstream/websocket.ts'

/** A route ready to answer: its policies folded around its upstream. */
export interface Route extends RoutePlan {
  /** Its policies around its upstream. What the outermost throws is the caller's to answer. */
  readonly handle: Handler<Exchange>
  /** Comes after it, and after what was thrown has become an answer. Undefined where there is nothing to rewrite. */
  readonly rewriteLocation: RewriteLocation | undefined
  /** True when one of its policies answers CORS preflights. */
  readonly preflight: boolean
}

/** Compiles every route, once. */
export function createRoutes(plan: Plan, services: Services): Route[] {
  const forwardable = createRequestFilter(plan.reserved)
  const locationRewriter = createLocationRewriter(plan)
  const tunnelling = new Set(plan.upstreams.filter(({ websocket }) => websocket).map(({ name }) => name))
  const recover = (error: unknown, exchange: Exchange) => answerFailure(error, exchange, services.log)
  return plan.routes.map((route) => {
    const { upstream } = route
    const forward = forwarding(route, forwardable)
    const layers = route.mounts.map((mount) => mountRoutePolicy(mount, services, forward))
    const last =
      upstream && forward
        ? forwardTo(services.upstreams.get(upstream.name), forward, tunnelling.has(upstream.name))
        : endIn(layers.pop(), route)
    return {
      ...route,
      handle: pipeline(layers, last, recover),
      rewriteLocation: locationRewriter(route),
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

/** A route with an upstream ends in a call to it. */
function forwardTo(call: UpstreamHandler, forward: Forward, passesWebSockets: boolean): Handler<Exchange> {
  return (exchange) => {
    const { request } = exchange
    const websocket = isWebSocketHandshake(request)
    if (websocket) acceptHandshake(request, passesWebSockets)
    const { method, path, headers } = forward(exchange)
    const body = isBodiless(request.method) ? null : exchange.body.take()
    return call(exchange, { method, path, headers, body, websocket })
  }
}

/** Any other one ends in its last policy, which answers by itself. */
function endIn(last: Middleware<Exchange> | undefined, { name }: RoutePlan): Handler<Exchange> {
  const next = () => {
    throw new TypeError(`Route ${name} has no upstream and its last policy called next`)
  }
  return last ? (exchange) => last(exchange, next) : next
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
