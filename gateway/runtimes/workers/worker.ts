import { builtInPolicies } from '../../../policies/index.ts'
import { loadConfig } from '../../config/load.ts'
import type { Plan } from '../../config/plan.ts'
import { toProblem } from '../../core/errors.ts'
import type { UpstreamServices } from '../../core/services.ts'
import { createGateway, type Gateway } from '../../gateway.ts'
import { createOpossumBreakers } from '../../services/breakers/opossum-breakers.ts'
import { createKeeper } from '../../services/keeper.ts'
import { createMemoryLimiters } from '../../services/limiters/memory-limiters.ts'
import { createMemoryStore } from '../../services/store/memory-store.ts'
import { createJsonLogger } from '../../services/telemetry/json-logger.ts'
import { type Bindings, bindingEnvironment } from './environment.ts'
import { fetchTransport } from './fetch-transport.ts'
import { requestClock } from './request-clock.ts'
import { silentMetrics } from './silent-metrics.ts'
import { unavailableEvents } from './unavailable-events.ts'
import { unavailableJournal } from './unavailable-journal.ts'

/** What a Worker is told of a request besides the request. */
export interface RequestContext {
  waitUntil(work: Promise<unknown>): void
}

export interface Worker {
  fetch(request: Request, bindings: Bindings, context: RequestContext): Promise<Response>
}

const log = createJsonLogger(requestClock, (line) => console.log(line))

/**
 * Makes a Worker of a configuration. Reads it at once and throws `ConfigError` with every mistake; the gateway is
 * compiled with the first request, because Workers allow neither timers nor random numbers before. Limits, circuits and
 * idempotency records are those of one isolate.
 */
export function createWorker(config: string, bindings: Bindings): Worker {
  const plan = loadConfig(config, {
    file: 'config/gateway.yaml',
    registry: new Map(builtInPolicies.map((policy) => [policy.name, policy])),
    environment: bindingEnvironment(bindings),
  })
  refuseStore(plan)
  let gateway: Gateway | undefined
  return {
    async fetch(request, _bindings, context) {
      try {
        gateway ??= compile(plan)
      } catch (error) {
        const id = crypto.randomUUID()
        log.error('gateway cannot be compiled', { id, error: error instanceof Error ? error.stack : String(error) })
        return toProblem(error, id)
      }
      const answer = gateway.fetch(request, {
        // Cloudflare is the other end of the connection and sets this field itself, whatever the client sent.
        ip: request.headers.get('cf-connecting-ip') ?? undefined,
        // Told on Cloudflare; workerd on one's own machine keeps it to itself, and the route's timeout ends the request.
        gone: request.signal,
        waitUntil: (work) => context.waitUntil(work),
      })
      // A client that leaves ends its request on the spot, and nothing would be released, counted or logged.
      context.waitUntil(answer)
      return asEncoded(await answer)
    },
  }
}

/** Silently counting in memory instead would make every limit too generous. */
function refuseStore({ services }: Plan): void {
  if (services.store === 'memory:') return
  const scheme = services.store.slice(0, services.store.indexOf(':') + 1)
  throw new Error(
    `services.store is "${scheme}", which this Worker cannot reach yet: set it to memory: (each isolate counts for itself), or run the gateway on Bun`,
  )
}

/** Connections of one request that wait for a head; workerd queues the others in silence (Workers limits). */
const OPEN_CALLS = 6

function compile(plan: Plan): Gateway {
  const parts = { clock: requestClock, random: Math.random, log, metrics: silentMetrics }
  const services: UpstreamServices = {
    ...parts,
    createId: () => crypto.randomUUID(),
    fetch: (url, init) => fetch(url, init),
    keep: createKeeper(),
    openCalls: OPEN_CALLS,
    sha256: async (bytes) => new Uint8Array(await crypto.subtle.digest('SHA-256', bytes)),
    store: createMemoryStore(parts),
    limiters: createMemoryLimiters(parts),
    breakers: createOpossumBreakers(parts),
    events: unavailableEvents,
    journal: unavailableJournal,
  }
  return createGateway(plan, { services, transport: fetchTransport })
}

/** Bodies are passed on as the upstream encoded them; workerd would encode them a second time. */
function asEncoded(response: Response): Response {
  if (!response.headers.has('content-encoding')) return response
  const { status, statusText, headers } = response
  const init: ResponseInit & { readonly encodeBody: 'manual' } = { status, statusText, headers, encodeBody: 'manual' }
  return new Response(response.body, init)
}
