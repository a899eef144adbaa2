import { type Context, type Handler, Hono, type MiddlewareHandler } from 'hono'
import type { Exchange } from './core/exchange.ts'
import type { Middleware } from './core/pipeline.ts'
import type { Connection, Gateway } from './gateway.ts'

/** Hono is known here and nowhere else in the gateway. */

interface Inside {
  Bindings: { readonly next: () => Promise<Response> }
}

/**
 * Turns Hono middleware into route middleware. It may answer by itself, and read and change the response; it must leave
 * the request's body alone, and what it changes in the request reaches nobody.
 */
export function fromHono(middleware: MiddlewareHandler): Middleware<Exchange> {
  const app = new Hono<Inside>()
    .onError((error) => {
      throw error
    })
    .use(middleware)
    .all('*', (c) => c.env.next())

  return async (exchange, next) =>
    app.fetch(
      exchange.request,
      { next: () => next() },
      {
        waitUntil: (work) => exchange.waitUntil(work),
        passThroughOnException: () => {},
        props: {},
      },
    )
}

/**
 * A handler that lets a gateway answer inside any Hono app. What Hono cannot know of the connection (the client's
 * address, above all) comes from `connectionOf`; without it the client has no address.
 *
 * @example
 * app.all('/shop/*', toHono(gateway, (c) => ({ ip: getConnInfo(c).remote.address })))
 */
export function toHono(
  gateway: Pick<Gateway, 'fetch'>,
  connectionOf: (c: Context) => Connection = () => ({}),
): Handler {
  return (c) => gateway.fetch(c.req.raw, { gone: c.req.raw.signal, ...waiting(c), ...connectionOf(c) })
}

function waiting(c: Context): Pick<Connection, 'waitUntil'> {
  try {
    const { executionCtx } = c
    return { waitUntil: (work) => executionCtx.waitUntil(work) }
  } catch {
    // Hono throws where the runtime has no execution context: processes live on by themselves.
    return {}
  }
}
