import { builtInPolicies } from '../../../policies/index.ts'
import { createAdminApp } from '../../admin/app.ts'
import { loadConfig } from '../../config/load.ts'
import { describeMistake } from '../../config/mistake.ts'
import type { Plan } from '../../config/plan.ts'
import type { Clock } from '../../core/clock.ts'
import type { StepHook } from '../../core/events.ts'
import type { SagaHook } from '../../core/journal.ts'
import type { Policy } from '../../core/policy.ts'
import type { UpstreamServices } from '../../core/services.ts'
import type { Logger } from '../../core/telemetry.ts'
import { createGateway, type Gateway } from '../../gateway.ts'
import { createOpossumBreakers } from '../../services/breakers/opossum-breakers.ts'
import { createKeeper } from '../../services/keeper.ts'
import { harmless } from '../../services/telemetry/harmless.ts'
import { createPrometheusMetrics } from '../../services/telemetry/prometheus-metrics.ts'
import { processEnvironment, recordFiles } from './environment.ts'
import type { EventDelivery } from './event-delivery.ts'
import { listen } from './listener.ts'
import { readConfig } from './read-config.ts'
import { watchConfig } from './reload.ts'
import { EVENTS_NEED_RESTART, JOURNAL_NEEDS_RESTART, noEvents, noJournal } from './restart-needed.ts'
import { idleOf, restartNeeds } from './restart-needs.ts'
import { connectStore } from './store-connection.ts'
import { systemClock } from './system-clock.ts'
import { createUpstreamTransport } from './upstream-transport.ts'

export interface StartOptions {
  /** Path of the configuration file. */
  readonly config: string
  /** Instead of the file's; 0 takes a free one. */
  readonly port?: number | undefined
  readonly adminPort?: number | undefined
  /** Whatever it throws is kept from requests; the lines lost are counted. */
  readonly log: Logger
  /** The machine's unless given: tests let time run faster, and set the time of day. */
  readonly clock?: Clock
  /** Policies beside the built-in ones. */
  readonly policies?: readonly Policy[]
  /** For tests of faults: told of the steps of every event, and waited for at each. */
  readonly onStep?: StepHook
  /** The same for writes that may have to be undone. */
  readonly onSagaStep?: SagaHook
}

export interface RunningGateway {
  readonly url: string
  readonly adminUrl: string
  /** Where consumers find the events; holds the broker's password. Undefined when no route announces any. */
  readonly brokerUrl: string | undefined
  readonly plan: Plan
  /** Stops accepting, lets requests in flight finish and the outbox drain within the grace period, then closes. */
  stop(): Promise<void>
}

/** Starts a gateway on Bun. Throws `ConfigError`, or an error that says in one line what to mend; nothing keeps running then. */
export async function startGateway(options: StartOptions): Promise<RunningGateway> {
  const { config, clock = systemClock, onStep, onSagaStep } = options
  const metrics = createPrometheusMetrics()
  const { log } = harmless({ log: options.log, metrics })
  const files = recordFiles(processEnvironment)
  const load = (text: string) =>
    loadConfig(text, { file: config, registry: registryOf(options), environment: files.environment })
  const plan = load(readConfig(config))
  tellNotices(plan, log)
  const parts = { clock, random: Math.random, createId: () => crypto.randomUUID(), log, metrics }
  const cleanUps: (() => unknown)[] = []
  try {
    const store = await connectStore(plan.services.store, clock, log)
    cleanUps.push(store.close)
    // What a configuration does not use is not loaded: it would take time to start, and memory.
    const delivery = plan.announces
      ? await (await import('./event-delivery.ts')).startDelivery(plan, { ...parts, ...(onStep && { onStep }) })
      : undefined
    cleanUps.push(() => delivery?.stop(0))
    const undoing = plan.journals
      ? (await import('./undoing.ts')).openUndoing(plan.services.journal, {
          ...parts,
          ...(onSagaStep && { onStep: onSagaStep }),
        })
      : undefined
    cleanUps.push(() => undoing?.stop())
    await store.opened
    const services: UpstreamServices = {
      ...parts,
      // A gateway sees to it by itself that what a logger throws does no harm.
      log: options.log,
      fetch: (url, init) => fetch(url, init),
      keep: createKeeper(),
      openCalls: Number.POSITIVE_INFINITY,
      sha256: (bytes) => Bun.CryptoHasher.hash('sha256', bytes),
      store: store.store,
      limiters: store.limiters,
      breakers: createOpossumBreakers(parts),
      events: delivery?.events ?? noEvents,
      journal: undoing?.journal ?? noJournal,
    }
    const transport = createUpstreamTransport(clock)
    cleanUps.push(transport.close)
    const compile = (from: Plan) => createGateway(from, { services, transport })
    let current = plan
    let gateway = compile(plan)
    delivery?.startSettling({
      ask: (upstream, request) => gateway.ask(upstream, request),
      eventSchema: (type) => current.eventSchema(type),
    })
    undoing?.start((upstream, request) => gateway.ask(upstream, request))
    const publicPort = options.port ?? plan.server.port
    const { limits } = plan.server
    const listener = bind(`server.port`, plan.server.host, publicPort, (port) =>
      listen({
        host: plan.server.host,
        port,
        idleMs: idleOf(plan),
        maxHead: limits.headers + limits.url + HEAD_MARGIN,
        maxMessage: limits.body,
        gateway: () => gateway,
        createId: parts.createId,
        clock,
      }),
    )
    cleanUps.push(() => listener.stop(true))
    let accepting = true
    const admin = createAdminApp({
      accepting: () => accepting,
      dependencies: async () => [
        await store.check(),
        ...((await delivery?.check()) ?? []),
        ...(undoing ? [await undoing.check()] : []),
      ],
      metrics: async () => {
        metrics.gauge('sluice_requests_in_flight', gateway.inFlight)
        delivery?.measure()
        await undoing?.measure().catch(() => {})
        return { contentType: metrics.contentType, text: await metrics.render() }
      },
      operations: delivery?.operations,
      compensations: undoing?.operations,
      access: plan.server.admin,
    })
    const adminHost = plan.server.admin.host
    const adminListener = bind('server.admin.port', adminHost, options.adminPort ?? plan.server.admin.port, (port) =>
      Bun.serve({
        hostname: adminHost,
        port,
        reusePort: false,
        idleTimeout: ADMIN_IDLE_SECONDS,
        fetch: (request) => admin.fetch(request),
      }),
    )
    cleanUps.push(() => adminListener.stop(true))
    const watcher = watchConfig({ file: config, files, load, log, metrics }, (next) => {
      if (next.announces && !delivery) throw new Error(EVENTS_NEED_RESTART)
      if (next.journals && !undoing) throw new Error(JOURNAL_NEEDS_RESTART)
      tellNotices(next, log)
      warnOfRestart(plan, next, log)
      gateway = compile(next)
      current = next
    })
    cleanUps.push(watcher.close)

    return {
      url: `http://${hostInUrl(plan.server.host)}:${listener.port}`,
      adminUrl: `http://${hostInUrl(adminHost)}:${adminListener.port}`,
      brokerUrl: delivery?.brokerUrl,
      plan,
      async stop() {
        accepting = false
        watcher.close()
        const until = clock.monotonic() + current.server.grace
        const leftMs = () => Math.max(0, until - clock.monotonic())
        await drain(listener, () => gateway, leftMs)
        await undoing?.stop()
        if (delivery) await finish(delivery, leftMs(), log)
        await adminListener.stop(true)
        transport.close()
        store.close()
      },
    }
  } catch (error) {
    for (const cleanUp of cleanUps.reverse()) await cleanUp()
    throw error
  }
}

/** Room above the configured limits, in bytes, so that a request a little too large gets a problem and not Bun's empty reply. */
const HEAD_MARGIN = 16_384

/** Bun would hang up after 10 s, on an operator who waits for thousands of entries to be put back, too. */
const ADMIN_IDLE_SECONDS = 150

function registryOf({ policies = [] }: StartOptions): ReadonlyMap<string, Policy> {
  return new Map([...builtInPolicies, ...policies].map((policy) => [policy.name, policy]))
}

function bind<Server>(key: string, host: string, port: number, open: (port: number) => Server): Server {
  try {
    return open(port)
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    const what = `Cannot listen on ${host}:${port}`
    if (code === 'EADDRINUSE')
      throw new Error(
        `${what}: the port is in use; stop the other program, or change ${key} (or give ${key === 'server.port' ? '--port' : '--admin-port'})`,
      )
    throw new Error(`${what}: ${error instanceof Error ? error.message : String(error)}; change ${key}`)
  }
}

function hostInUrl(host: string): string {
  return host.includes(':') ? `[${host}]` : host
}

function tellNotices({ notices }: Plan, log: Logger): void {
  for (const notice of notices)
    log.warn('the configuration may not be what was meant', { notice: describeMistake(notice) })
}

function warnOfRestart(before: Plan, after: Plan, log: Logger): void {
  const keys = restartNeeds(before, after)
  if (keys.length > 0) log.warn('configuration reloaded; a part of it takes effect with a restart only', { keys })
}

type Listener = ReturnType<typeof listen>

async function drain(listener: Listener, gateway: () => Gateway, leftMs: () => number): Promise<void> {
  void listener.stop(false)
  while (leftMs() > 0 && (listener.pendingRequests > 0 || gateway().inFlight > 0)) await Bun.sleep(10)
  await listener.stop(true)
}

async function finish(delivery: EventDelivery, withinMs: number, log: Logger): Promise<void> {
  const left = await delivery.stop(withinMs)
  if (left > 0) log.warn('events stay in the outbox for the next gateway that opens it', { left })
}
