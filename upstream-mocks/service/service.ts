import { Hono } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import { type Log, silentLog } from '../consumer/index.ts'
import { sleep } from '../consumer/sleep.ts'
import { createFaults, type Sleep } from './faults.ts'
import { reasonOf } from './log.ts'
import { type ServiceName, USUAL_PORTS } from './ports.ts'
import { toResponse } from './problem.ts'

/** The largest request body a service reads, in bytes. */
export const MAX_BODY_BYTES = 64 * 1024

/** What every service of the shop takes; all of it has a default. */
export interface ServiceOptions {
  /** Address to listen on; the loopback unless told. */
  readonly host?: string
  /** 0 lets the system choose a free port. */
  readonly port?: number
  readonly log?: Log
  /** Milliseconds since 1970. */
  readonly now?: () => number
  /** Chance in [0, 1), for faults. */
  readonly random?: () => number
  /** How faults wait. */
  readonly sleep?: Sleep
}

/** One running part of the shop. `app` answers without `start`, so tests need no port. */
export interface Service {
  readonly name: ServiceName
  readonly app: Hono
  /** The port asked for, and after `start` the one listened on. */
  readonly port: number
  /** Listens, and begins what else it does in the background; throws when the port is taken. */
  start(): void
  /** Closes every connection; a second call does nothing. */
  stop(): Promise<void>
}

/** A service's name, which decides its usual port, and its routes. */
export interface ServiceDefinition {
  readonly name: ServiceName
  readonly routes: (app: Hono) => void
  /** What else starts with it, once it listens, and ends with it. */
  readonly companion?: Companion
}

/** Work beside the answering of requests, e.g. the handling of events. */
export interface Companion {
  start(): void
  /** Called before the service stops to listen. */
  stop(): Promise<void>
  /** Called when nothing uses it any more. */
  close(): void
  /** Prometheus text. */
  metrics(): string
}

/** Makes a service with health, faults, a body limit and problem answers around its routes. */
export function createService(definition: ServiceDefinition, options: ServiceOptions): Service {
  const { name } = definition
  const { companion } = definition
  const { host = '127.0.0.1', log = silentLog } = options
  const faults = createFaults({ random: options.random ?? Math.random, sleep: options.sleep ?? sleep })
  const app = createApp(name, log)
  app.route('/_faults', faults.router)
  app.get('/metrics', (c) => {
    const text = `# HELP shop_up 1 while the service answers\n# TYPE shop_up gauge\nshop_up{service="${name}"} 1\n`
    return c.text(text + (companion?.metrics() ?? ''), 200, { 'content-type': 'text/plain; version=0.0.4' })
  })
  app.use(faults.apply)
  definition.routes(app)

  let port = options.port ?? USUAL_PORTS[name]
  let server: Bun.Server<undefined> | undefined

  return {
    name,
    app,
    get port() {
      return port
    },
    start() {
      server = listen({ name, host, port, fetch: (request) => app.fetch(request) })
      port = server.port ?? port
      companion?.start()
    },
    async stop() {
      faults.stop()
      await companion?.stop()
      await server?.stop(true)
      server = undefined
      companion?.close()
    },
  }
}

function createApp(name: string, log: Log): Hono {
  const app = new Hono()
  app.use(bodyLimit({ maxSize: MAX_BODY_BYTES, onError: () => toResponse(TOO_LARGE) }))
  app.notFound((c) =>
    toResponse({
      status: 404,
      code: 'path-not-found',
      title: 'Nothing is here',
      detail: `The ${name} service has no ${c.req.method} ${c.req.path.slice(0, 200)}`,
    }),
  )
  app.onError((error, c) => {
    log.warn(`The ${name} service failed to answer`, { service: name, path: c.req.path, reason: reasonOf(error) })
    return toResponse({ status: 500, code: 'internal-error', title: 'It broke', detail: 'See the service log' })
  })
  app.get('/health', (c) => c.json({ status: 'ok', service: name }))
  return app
}

const TOO_LARGE = {
  status: 413,
  code: 'body-too-large',
  title: 'The request body is too large',
  detail: `Send at most ${MAX_BODY_BYTES} bytes`,
} as const

interface Listening {
  readonly name: string
  readonly host: string
  readonly port: number
  readonly fetch: (request: Request) => Response | Promise<Response>
}

function listen({ name, host, port, fetch }: Listening): Bun.Server<undefined> {
  try {
    return Bun.serve({
      hostname: host,
      port,
      fetch,
      development: false,
      reusePort: false,
      // The longest Bun allows: a service told to hang must outlast every timeout of its callers.
      idleTimeout: 255,
      maxRequestBodySize: 2 * MAX_BODY_BYTES,
    })
  } catch (error) {
    throw new Error(
      `The ${name} service cannot listen on ${host}:${port}: is another demo running? Stop what uses the port (${reasonOf(error)})`,
      { cause: error },
    )
  }
}
