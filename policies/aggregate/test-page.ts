import { expect } from 'bun:test'
import { parseList } from 'structured-headers'
import type { Connection } from '../../gateway/gateway.ts'
import { createTestGateway, type TestGatewayOptions } from '../../tests/support/gateway.ts'

/** What an upstream answers: a function, or the JSON body of a 200. */
export type Scripted = ((request: Request) => Response | Promise<Response>) | object | number

/** The product page of the sample configuration. */
export const PRODUCT_PAGE = `
version: 1
upstreams:
  catalog: { url: http://catalog.test }
  inventory: { url: http://inventory.test }
  pricing: { url: http://pricing.test }
  promotions: { url: http://promotions.test }
routes:
  product-page:
    path: /products/:id
    methods: [GET]
    policies:
      - aggregate:
          timeout: 1s
          parts:
            product:    { upstream: catalog,    path: "/products/{params.id}", required: true }
            stock:      { upstream: inventory,  path: "/stock/{params.id}", fallback: { available: null } }
            price:      { upstream: pricing,    path: "/prices/{parts.product.body.sku}", timeout: 400ms }
            promotions: { upstream: promotions, path: "/promotions?sku={parts.product.body.sku}", fallback: [] }
`

export interface PageOptions {
  /** Options by part; each asks the upstream of its own name for a path of its own name unless it says otherwise. */
  readonly parts?: Readonly<Record<string, object>>
  /** Further options of the policy. */
  readonly settings?: object
  /** Further keys of the route. */
  readonly route?: object
  /** Policies of every upstream. */
  readonly upstreamPolicies?: readonly unknown[]
  /** A whole configuration instead. */
  readonly config?: string
  readonly services?: TestGatewayOptions['services']
  readonly register?: TestGatewayOptions['register']
  /** By upstream. Those that are not named hang until `answer`. */
  readonly answers?: Readonly<Record<string, Scripted>>
}

/** The configuration of one route `/page/:id` that is composed of the given parts. */
export function pageConfig({ parts = {}, settings, route, upstreamPolicies = [] }: PageOptions): string {
  const names = Object.keys(parts)
  const written = Object.entries(parts).map(([name, part]) => [name, { upstream: name, path: `/${name}`, ...part }])
  return JSON.stringify({
    version: 1,
    upstreams: Object.fromEntries(
      names.map((name) => [name, { url: `http://${name}.test`, policies: upstreamPolicies }]),
    ),
    routes: {
      page: {
        path: '/page/:id',
        policies: [{ aggregate: { parts: Object.fromEntries(written), ...settings } }],
        ...route,
      },
    },
  })
}

/** Opens a page whose upstreams answer as scripted, or when the test says so. */
export async function openPage(options: PageOptions) {
  const { answers = {}, config = pageConfig(options), services, register } = options
  const waiting = new Map<string, (reply: Response | Promise<never>) => void>()
  const asked: { readonly upstream: string; readonly request: Request }[] = []

  const gateway = await createTestGateway({
    config,
    ...(services && { services }),
    ...(register && { register }),
    upstream: (request) => {
      const [upstream = ''] = new URL(request.url).hostname.split('.')
      asked.push({ upstream, request })
      const scripted = answers[upstream]
      if (typeof scripted === 'function') return scripted(request)
      if (scripted !== undefined) return Response.json(scripted)
      return new Promise((resolve) => waiting.set(upstream, resolve))
    },
  })

  return {
    clock: gateway.clock,
    get records() {
      return gateway.records
    },
    metric: gateway.metric,
    get lines() {
      return gateway.lines
    },
    fetch: (path = '/page/1', init?: RequestInit, connection?: Connection) => gateway.fetch(path, init, connection),
    /** Upstreams asked so far, in order. */
    get asked() {
      return asked.map(({ upstream }) => upstream)
    },
    /** The last request an upstream got. */
    requestTo(upstream: string): Request {
      const found = asked.findLast((call) => call.upstream === upstream)
      if (!found) throw new Error(`${upstream} was not asked`)
      return found.request
    },
    /** What an upstream was asked for, in order. */
    urlsOf: (upstream: string) => asked.filter((call) => call.upstream === upstream).map(({ request }) => request.url),
    /** Upstreams that were asked and have not answered. */
    get waiting() {
      return [...waiting.keys()]
    },
    /** Lets a waiting upstream answer or break, and everything that follows from it happen. */
    async answer(upstream: string, reply: Response | Error | object | number): Promise<void> {
      const resolve = waiting.get(upstream)
      if (!resolve) throw new Error(`${upstream} is not waiting`)
      waiting.delete(upstream)
      if (reply instanceof Error) resolve(Promise.reject(reply))
      else resolve(reply instanceof Response ? reply : Response.json(reply))
      await gateway.clock.advance(0)
    },
  }
}

/** The composition fields as an RFC 9651 parser reads them; `dur` is left out unless asked for. */
export function compositionOf(response: Response, { durations = false } = {}) {
  const status = parseList(response.headers.get('composition-status') ?? '').map(([name, parameters]) => {
    if (!durations) parameters.delete('dur')
    return [String(name), Object.fromEntries(parameters)] as const
  })
  const complete = response.headers.get('composition-complete')
  expect(complete === '?1' || complete === '?0').toBe(true)
  return { complete: complete === '?1', parts: Object.fromEntries(status) }
}

/** A body that is being sent and knows whether anybody still wants it. */
export function openBody(start = '') {
  const state = { cancelled: false }
  const stream = new ReadableStream<Uint8Array>({
    start: (controller) => {
      if (start !== '') controller.enqueue(new TextEncoder().encode(start))
    },
    cancel() {
      state.cancelled = true
    },
  })
  return { stream, state }
}

export const JSON_TYPE = { 'content-type': 'application/json' }
