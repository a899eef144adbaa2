import type { Plan, RoutePlan } from '../config/plan.ts'
import { editResponse } from '../core/edit-response.ts'
import type { Exchange } from '../core/exchange.ts'
import { createPublicPaths, type PublicPath } from '../routing/public-path.ts'

/** The fields of a reply that say where something is (RFC 9110 §10.2.2, §8.7). */
const FIELDS = ['location', 'content-location'] as const

/** One address of an upstream, taken apart. */
interface Address {
  readonly upstream: string
  readonly origin: string
  /** Path of the address, without a trailing slash. */
  readonly base: string
}

/** A response of a route as the client may see it: the same one when it names no address of an upstream. */
export type RewriteLocation = (response: Response, exchange: Exchange) => Response

/**
 * Lets no reply of a route tell an address of the upstreams it asks: where `Location` or `Content-Location` names one,
 * the client gets its own scheme and host there, and the path by which it reaches the same through the gateway.
 * To be applied when all policies are done, so that events, and answers that are kept, hold what the upstream said;
 * undefined for a route without an upstream to ask.
 */
export function createLocationRewriter(plan: Plan): (route: RoutePlan) => RewriteLocation | undefined {
  const publicPaths = createPublicPaths(plan.routes)
  return (route) => {
    const asked = upstreamsOf(route)
    const addresses = plan.upstreams
      .filter(({ name, rewriteLocation }) => rewriteLocation && asked.has(name))
      .flatMap(({ name, versions }) =>
        versions.flatMap(({ targets }) => targets.map(({ url }) => addressOf(name, url))),
      )
      // Of two addresses of one host the longer one is the more exact.
      .sort((a, b) => b.base.length - a.base.length)
    return addresses.length === 0 ? undefined : createRewrite(addresses, publicPaths(route.upstream && route))
  }
}

function upstreamsOf({ upstream, mounts }: RoutePlan): ReadonlySet<string> {
  const called = mounts.flatMap(({ policy, options }) => (policy.at === 'route' ? (policy.calls?.(options) ?? []) : []))
  return new Set(upstream ? [upstream.name, ...called] : called)
}

function addressOf(upstream: string, url: string): Address {
  const { origin, pathname } = new URL(url)
  return { upstream, origin, base: pathname.replace(/\/+$/, '') }
}

function createRewrite(addresses: readonly Address[], publicPath: PublicPath): RewriteLocation {
  // A reference without a scheme, as in "//host/path", has that of the address it came from.
  const bases = [...new Set(addresses.map(({ origin }) => `${new URL(origin).protocol}//${NOBODY}`))]

  /** Undefined when it names no address of these. */
  function rewritten(given: string, method: string, { client, path }: Exchange): string | undefined {
    if (IS_PATH.test(given)) return undefined
    const url = bases.map((base) => URL.parse(given, base)).find((each) => addresses.some((one) => isAt(one, each)))
    if (!url) return undefined
    const { pathname, search, hash } = url
    const at = addresses.find((one) => isAt(one, url) && `${pathname}/`.startsWith(`${one.base}/`))
    // Beside the addresses' own paths there is nothing a client could reach.
    const outside = at
      ? publicPath(pathname.slice(at.base.length) || '/', { upstream: at.upstream, method, path })
      : pathname
    // As the gateway tells it to upstreams.
    return `${client.protocol}://${client.host}${outside}${search}${hash}`
  }

  return (response, exchange) => {
    if (!response.headers.has('location') && !response.headers.has('content-location')) return response
    const changes = FIELDS.flatMap((field) => {
      const given = response.headers.get(field)
      if (given === null) return []
      const method = field === 'location' ? methodAfter(response.status, exchange) : 'GET'
      const value = rewritten(given, method, exchange)
      return value === undefined ? [] : [[field, value] as const]
    })
    if (changes.length === 0) return response
    return editResponse(response, (headers) => {
      for (const [field, value] of changes) headers.set(field, value)
    })
  }
}

function isAt({ origin }: Address, url: URL | null): boolean {
  return url?.origin === origin
}

/** What nearly every upstream sends; browsers read a backslash as a slash. */
const IS_PATH = /^\/(?![/\\])/
const NOBODY = 'nobody.invalid'

/** 307 and 308 keep the method; anything else is got (RFC 9110 §15.4). */
function methodAfter(status: number, { request }: Exchange): string {
  return status === 307 || status === 308 ? request.method : 'GET'
}
