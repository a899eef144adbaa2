import { type Environment, emptyEnvironment } from '../../gateway/config/environment.ts'
import { loadConfig } from '../../gateway/config/load.ts'
import type { CloudEvent, EventAddress, EventBus } from '../../gateway/core/events.ts'
import type { Journal } from '../../gateway/core/journal.ts'
import type { Policy } from '../../gateway/core/policy.ts'
import { tellOutcome } from '../../gateway/core/receiver.ts'
import type { UpstreamServices } from '../../gateway/core/services.ts'
import { type Connection, createGateway } from '../../gateway/gateway.ts'
import { createOpossumBreakers } from '../../gateway/services/breakers/opossum-breakers.ts'
import { createKeeper } from '../../gateway/services/keeper.ts'
import { createMemoryLimiters } from '../../gateway/services/limiters/memory-limiters.ts'
import { createMemoryStore } from '../../gateway/services/store/memory-store.ts'
import type { OutgoingRequest, Transport } from '../../gateway/upstream/transport.ts'
import { builtInPolicies } from '../../policies/index.ts'
import { recordTelemetry } from './recorded-telemetry.ts'
import { createVirtualClock } from './virtual-clock.ts'

/** Answers for every upstream; throw to be an upstream that cannot be reached. */
export type ScriptedUpstream = (request: Request) => Response | Promise<Response>

export interface TestGatewayOptions {
  /** Policies of the one route, as they would stand in YAML. */
  readonly policies?: readonly unknown[]
  /** Policies of the one upstream, as they would stand in YAML. */
  readonly upstreamPolicies?: readonly unknown[]
  /** Default: 200 with `ok`. */
  readonly upstream?: ScriptedUpstream
  /** The network, in place of `upstream`; what it is told to send is not recorded. */
  readonly send?: Transport['send']
  /** Path of the route; default `/x/:id`. */
  readonly path?: string
  readonly methods?: readonly string[]
  /** A whole configuration as YAML text, instead of the one route. */
  readonly config?: string
  /** Further keys of the one upstream, or of the server section, as they would stand in YAML. */
  readonly upstreamSettings?: Readonly<Record<string, unknown>>
  readonly server?: Readonly<Record<string, unknown>>
  /** Policies of your own, beside the built-in ones. */
  readonly register?: readonly Policy[]
  /** Files and variables that the configuration refers to; none by default. */
  readonly environment?: Environment
  /** Services to use instead of the in-memory ones. */
  readonly services?: Partial<UpstreamServices>
}

/** Thrown by a scripted upstream that refuses the connection: nothing was sent. */
export class NobodyThere extends Error {
  override readonly name = 'NobodyThere'
}

/** Time at which a test begins. */
export const TEST_START = Date.parse('2026-01-01T00:00:00Z')
const HOST = 'http://gateway.test'

/**
 * A gateway without a server: give it policies as you would write them in YAML and an upstream as a function, send
 * requests, look at the answers. Time stands still until `clock.advance`; randomness is a fixed sequence.
 */
export async function createTestGateway(options: TestGatewayOptions = {}) {
  const clock = createVirtualClock(TEST_START)
  const telemetry = recordTelemetry()
  const random = options.services?.random ?? createSequence()
  const { log, metrics } = telemetry
  const events = recordEvents()
  let ids = 0
  const upstreamRequests: Request[] = []
  const services: UpstreamServices = {
    clock,
    random,
    createId: () => `id-${++ids}`,
    fetch: () => {
      throw new TypeError('This test scripts no network: pass services.fetch')
    },
    keep: createKeeper(),
    openCalls: Number.POSITIVE_INFINITY,
    sha256: async (bytes) => new Uint8Array(await crypto.subtle.digest('SHA-256', bytes)),
    store: createMemoryStore({ clock }),
    limiters: createMemoryLimiters({ clock }),
    breakers: createOpossumBreakers({ clock, random, log, metrics }),
    events: events.bus,
    journal: noJournal,
    log,
    metrics,
    ...options.services,
  }
  const registry = new Map([...builtInPolicies, ...(options.register ?? [])].map((policy) => [policy.name, policy]))
  const plan = loadConfig(options.config ?? toConfig(options), {
    file: 'test.yaml',
    registry,
    environment: options.environment ?? emptyEnvironment,
  })
  const gateway = createGateway(plan, {
    services,
    transport: {
      send(outgoing, receiver) {
        if (options.send) {
          options.send(outgoing, receiver)
          return
        }
        const request = toRequest(outgoing)
        upstreamRequests.push(request)
        tellOutcome(Promise.race([answer(options.upstream, request), aborted(outgoing.signal)]), receiver)
      },
      explain: (error) => ({ kind: 'unreachable', cause: String(error), isUnsent: error instanceof NobodyThere }),
    },
  })
  return {
    clock,
    /** Asks an upstream on the gateway's own account. */
    ask: gateway.ask,
    /** Sends one request; a path is enough. */
    async fetch(target: string | Request, init?: RequestInit, connection: Connection = { ip: '192.0.2.1' }) {
      const request = typeof target === 'string' ? toClientRequest(target, init) : target
      const response = await gateway.fetch(request, connection)
      // The gateway keeps it from its clients; a test must not pass with it.
      for (const error of telemetry.undeclared) throw error
      return response
    },
    /** Every request the upstreams got, in order. */
    upstreamRequests: upstreamRequests as readonly Request[],
    /** The facts of every access log line, in order. */
    get records() {
      return telemetry.lines.filter(({ message }) => message === 'request').map(({ facts }) => facts)
    },
    lines: telemetry.lines,
    /** The sum of a counter, or the last value of a gauge. */
    metric: telemetry.valueOf,
    /** Requests that have no answer yet. */
    get inFlight() {
      return gateway.inFlight
    },
    /** What was announced: intents with their outcomes. */
    events: events.intents,
    close: async () => {},
  }
}

export type TestGateway = Awaited<ReturnType<typeof createTestGateway>>

/** JSON is YAML. */
function toConfig({
  policies = [],
  upstreamPolicies = [],
  path = '/x/:id',
  methods,
  server,
  upstreamSettings,
}: TestGatewayOptions): string {
  const ends = policies.some((entry) =>
    ENDING.some((name) => entry === name || (entry !== null && typeof entry === 'object' && name in entry)),
  )
  return JSON.stringify({
    version: 1,
    ...(server && { server }),
    upstreams: { upstream: { url: 'http://upstream.test', policies: upstreamPolicies, ...upstreamSettings } },
    routes: { route: { path, ...(methods && { methods }), policies, ...(ends ? {} : { upstream: 'upstream' }) } },
  })
}

const ENDING = builtInPolicies.filter((policy) => policy.at === 'route' && policy.ends).map(({ name }) => name)

function toClientRequest(path: string, init: RequestInit = {}): Request {
  const request = new Request(new URL(path, HOST), init)
  if (!request.headers.has('host')) request.headers.set('host', 'gateway.test')
  return request
}

function toRequest({ url, method, headers, body, signal }: OutgoingRequest): Request {
  return new Request(url, {
    method,
    headers,
    body,
    signal,
    ...(body instanceof ReadableStream ? { duplex: 'half' } : {}),
  })
}

/** Requests that write to several services need `createSagaGateway`. */
const noJournal: Journal = {
  begin: () => {
    throw new TypeError('This test has no journal: pass services.journal')
  },
}

async function answer(upstream: ScriptedUpstream = () => new Response('ok'), request: Request): Promise<Response> {
  return await upstream(request)
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason)
    else signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  })
}

/** The same numbers in every run, spread over [0, 1) (mulberry32). */
function createSequence(seed = 1): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let value = Math.imul(state ^ (state >>> 15), 1 | state)
    value = (value + Math.imul(value ^ (value >>> 7), 61 | value)) ^ value
    return ((value ^ (value >>> 14)) >>> 0) / 0x1_0000_0000
  }
}

interface RecordedIntent {
  readonly route: string
  outcome: 'pending' | 'committed' | 'withheld' | 'rejected' | 'unknown'
  event?: CloudEvent
  address?: EventAddress
  reason?: string
}

function recordEvents() {
  const intents: RecordedIntent[] = []
  const bus: EventBus = {
    async intend({ route }) {
      const recorded: RecordedIntent = { route, outcome: 'pending' }
      intents.push(recorded)
      return {
        id: `event-${intents.length}`,
        commit: async (event, address) => void Object.assign(recorded, { outcome: 'committed', event, address }),
        withhold: async (event, address, reason) =>
          void Object.assign(recorded, { outcome: 'withheld', event, address, reason }),
        reject: async () => void Object.assign(recorded, { outcome: 'rejected' }),
        unknown: async (reason) => void Object.assign(recorded, { outcome: 'unknown', reason }),
      }
    },
    async accept(event, address, { route }) {
      intents.push({ route, outcome: 'committed', event, address })
    },
    async status(id) {
      return intents.some(({ event }) => event?.id === id) ? { state: 'accepted', atMs: TEST_START } : undefined
    },
  }
  return { intents: intents as readonly RecordedIntent[], bus }
}
