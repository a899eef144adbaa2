import type { Policy } from '../core/policy.ts'
import { planTopology } from '../core/topology.ts'
import { parseRoutePath } from '../routing/route-path.ts'
import { crossMistakes, type Mounted, readable } from './cross-checks.ts'
import { checkDestinations } from './destination-checks.ts'
import { type ConfigDocument, parseConfigDocument } from './document.ts'
import { type Environment, emptyEnvironment } from './environment.ts'
import { createEventSchemas, type FindEventSchema } from './event-schemas.ts'
import { check, type DataMistake } from './issues.ts'
import { ConfigError } from './mistake.ts'
import type { Plan, RoutePlan, UpstreamPlan, VersionPlan } from './plan.ts'
import { mountList, type PolicyNames } from './policies.ts'
import { type ConfigFile, configSchema, limits, METHODS, routeSchema } from './schema.ts'
import { type ReadableTopology, readableTopology, topologyMistakes, toTopologyWish } from './topology.ts'

export interface LoadOptions {
  /** Name shown in mistakes. */
  readonly file: string
  readonly registry: ReadonlyMap<string, Policy>
  readonly environment?: Environment
}

/** Reads a configuration whole. Throws `ConfigError` with every mistake it has; what it returns cannot fail later. */
export function loadConfig(text: string, { file, registry, environment = emptyEnvironment }: LoadOptions): Plan {
  const document = parseConfigDocument(text, file, environment)
  if (document.data === undefined) throw new ConfigError(document.mistakes)

  const structure = check(configSchema, document.data, [])
  const raw = rawSections(structure.meant)
  const names: PolicyNames = { registry, lists: raw.policies }
  const upstreams = mountUpstreams(raw, names)
  const eventSchema = createEventSchemas(file, environment)
  const routes = mountRoutes(raw, names, eventSchema)
  const destinations = checkDestinations(raw.topology, routes)
  const beyond = [
    ...unusedListMistakes(raw, names),
    ...[...upstreams.values(), ...routes.values()].flatMap(({ mistakes }) => mistakes),
    ...crossMistakes(readable(raw), upstreams, routes),
    ...topologyMistakes(raw.topology),
    ...destinations.mistakes,
  ]
  const found = [...structure.mistakes, ...beyond.map((one) => ({ ...one, path: structure.written(one.path) }))]
  const mistakes = [...document.mistakes, ...place(found, document)]
  if (mistakes.length > 0 || !structure.value) throw new ConfigError(mistakes)
  const notices = place(destinations.notices, document)
  return { ...toPlan(structure.value, upstreams, routes), notices, eventSchema }
}

interface RawSections {
  readonly upstreams: Readonly<Record<string, Record<string, unknown>>>
  readonly policies: Readonly<Record<string, unknown>>
  readonly routes: Readonly<Record<string, Record<string, unknown>>>
  readonly topology: ReadableTopology
  /** Of a route that has no other, in milliseconds; undefined when it cannot be read. */
  readonly timeoutMs: number | undefined
}

/** The raw document as far as it has the right shape, so that one broken route does not hide the mistakes of the others. */
function rawSections(data: unknown): RawSections {
  const root = mapping(data)
  const section = (name: string) =>
    Object.fromEntries(Object.entries(mapping(root[name])).map(([key, value]) => [key, mapping(value)]))
  const topology = readableTopology(mapping(root.topology))
  const timeoutMs = limits.shape.timeout.safeParse(mapping(mapping(root.server).limits).timeout).data
  const policies = mapping(root.policies)
  return { upstreams: section('upstreams'), routes: section('routes'), policies, topology, timeoutMs }
}

function mapping(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {}
}

function mountUpstreams({ upstreams }: RawSections, names: PolicyNames): Mounted {
  const known = Object.keys(upstreams)
  return mapEntries(upstreams, (name, raw) => {
    const site = {
      path: `upstreams.${name}`,
      owner: name,
      upstreams: known,
      versions: Object.keys(mapping(raw.versions)),
    }
    return mountList(raw.policies, ['upstreams', name, 'policies'], 'upstream', site, names)
  })
}

function mountRoutes(
  { routes, upstreams, timeoutMs: usualMs }: RawSections,
  names: PolicyNames,
  eventSchema: FindEventSchema,
): Mounted {
  const known = Object.keys(upstreams)
  return mapEntries(routes, (name, raw) => {
    const params = typeof raw.path === 'string' && raw.path.startsWith('/') ? parseRoutePath(raw.path).params : []
    const upstream = typeof raw.upstream === 'string' ? raw.upstream : mapping(raw.upstream).name
    const timeoutMs = raw.timeout === undefined ? usualMs : routeSchema.shape.timeout.safeParse(raw.timeout).data
    const site = {
      path: `routes.${name}`,
      owner: name,
      upstreams: known,
      params,
      methods: Array.isArray(raw.methods) ? raw.methods.map(String) : METHODS,
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
      ...(typeof upstream === 'string' ? { upstream } : {}),
      eventSchema,
    }
    return mountList(raw.policies, ['routes', name, 'policies'], 'route', site, names)
  })
}

function mapEntries<T, U>(
  record: Readonly<Record<string, T>>,
  map: (name: string, value: T) => U,
): ReadonlyMap<string, U> {
  return new Map(Object.entries(record).map(([name, value]) => [name, map(name, value)]))
}

/** A list nobody uses is still checked for names and options, at whichever level its policies fit. */
function unusedListMistakes(raw: RawSections, names: PolicyNames): DataMistake[] {
  const uses = [...Object.values(raw.routes), ...Object.values(raw.upstreams)].flatMap(({ policies }) =>
    Array.isArray(policies) ? policies.filter((entry) => typeof entry === 'string') : [],
  )
  return Object.keys(raw.policies)
    .filter((list) => !uses.includes(list))
    .flatMap((list) => {
      const entries = raw.policies[list]
      const site = { path: `policies.${list}`, owner: list, upstreams: Object.keys(raw.upstreams) }
      const first = (Array.isArray(entries) ? entries : [])
        .map((entry) => names.registry.get(Object.keys(mapping(entry))[0] ?? String(entry)))
        .find((policy) => policy !== undefined)
      return mountList(entries, ['policies', list], first?.at ?? 'route', site, names).mistakes.filter(
        ({ message }) => !message.includes(' needs the '),
      )
    })
}

/**
 * Gives every mistake its place; the same one found through several routes is told once. What the text itself made a
 * mistake of, an unset variable say, is no value to judge.
 */
function place(found: readonly DataMistake[], document: ConfigDocument) {
  const placed = found.map(({ path, message, atKey }) => document.mistake(path, message, atKey))
  const unreadable = new Set(document.mistakes.map(({ line, column }) => `${line}:${column}`))
  const seen = new Set<string>()
  return placed.filter(({ line, column, message }) => {
    const key = `${line}:${column}:${message}`
    return !unreadable.has(`${line}:${column}`) && !seen.has(key) && seen.add(key)
  })
}

function toPlan(config: ConfigFile, upstreams: Mounted, routes: Mounted): Omit<Plan, 'notices' | 'eventSchema'> {
  const all = [...upstreams.values(), ...routes.values()].flatMap(({ mounts }) => mounts)
  const published = all.flatMap(({ policy, options }) => {
    const exchange = policy.at === 'route' ? policy.publishesTo?.(options).exchange : undefined
    return exchange === undefined ? [] : [exchange]
  })
  return {
    server: config.server,
    services: config.services,
    upstreams: Object.entries(config.upstreams).map(
      ([name, upstream]): UpstreamPlan => ({
        name,
        versions: versionsOf(upstream),
        balance: upstream.balance,
        concurrency: upstream.concurrency,
        websocket: upstream.websocket,
        preserveHost: upstream['preserve-host'],
        rewriteLocation: upstream['rewrite-location'],
        mounts: upstreams.get(name)?.mounts ?? [],
      }),
    ),
    routes: Object.entries(config.routes).map(
      ([name, route]): RoutePlan => ({
        name,
        path: parseRoutePath(route.path),
        methods: route.methods,
        mounts: routes.get(name)?.mounts ?? [],
        upstream: route.upstream && {
          name: route.upstream.name,
          path: 'path' in route.upstream ? route.upstream.path : undefined,
        },
        timeoutMs: route.timeout ?? config.server.limits.timeout,
        bodyLimit: route.body ?? config.server.limits.body,
      }),
    ),
    announces:
      all.some(({ policy }) => policy.at === 'route' && policy.announces) || config.topology.exchanges.length > 0,
    journals: all.some(({ policy, options }) => policy.at === 'route' && (policy.journals?.(options) ?? false)),
    topology: planTopology(toTopologyWish(config.topology, published)),
    reserved: [...new Set(all.flatMap(({ policy, options }) => policy.reserves?.(options) ?? []))],
  }
}

function versionsOf({ url, targets, versions }: ConfigFile['upstreams'][string]): VersionPlan[] {
  if (versions) return Object.entries(versions).map(([name, version]) => ({ name, targets: version.targets }))
  return [{ name: undefined, targets: targets ?? (url === undefined ? [] : [{ url, weight: 1 }]) }]
}
