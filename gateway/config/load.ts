import type { z } from 'zod'
import type { Policy } from '../core/policy.ts'
import { parseRoutePath, type RoutePath, shapeOf } from '../routing/route-path.ts'
import { type ConfigDocument, parseConfigDocument } from './document.ts'
import { type Environment, emptyEnvironment } from './environment.ts'
import { check, type DataMistake } from './issues.ts'
import { ConfigError, didYouMean } from './mistake.ts'
import type { Plan, RoutePlan, UpstreamPlan, VersionPlan } from './plan.ts'
import { type MountedList, mountList, type PolicyNames } from './policies.ts'
import { type ConfigFile, configSchema, METHODS, routeSchema, upstreamSchema } from './schema.ts'

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
  const raw = rawSections(document.data)
  const names: PolicyNames = { registry, lists: raw.policies }
  const upstreams = mountUpstreams(raw, names)
  const routes = mountRoutes(raw, names)
  const found = [
    ...structure.mistakes,
    ...unusedListMistakes(raw, names),
    ...[...upstreams.values(), ...routes.values()].flatMap(({ mistakes }) => mistakes),
    ...crossMistakes(readable(raw), upstreams, routes),
  ]
  const mistakes = [...document.mistakes, ...place(found, document)]
  if (mistakes.length > 0 || !structure.value) throw new ConfigError(mistakes)
  return toPlan(structure.value, upstreams, routes)
}

interface RawSections {
  readonly upstreams: Readonly<Record<string, Record<string, unknown>>>
  readonly policies: Readonly<Record<string, unknown>>
  readonly routes: Readonly<Record<string, Record<string, unknown>>>
}

/** The raw document as far as it has the right shape, so that one broken route does not hide the mistakes of the others. */
function rawSections(data: unknown): RawSections {
  const root = mapping(data)
  const section = (name: string) =>
    Object.fromEntries(Object.entries(mapping(root[name])).map(([key, value]) => [key, mapping(value)]))
  return { upstreams: section('upstreams'), routes: section('routes'), policies: mapping(root.policies) }
}

function mapping(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {}
}

/** The upstreams and routes that are well-formed on their own, so that what they say of each other is checked too. */
interface Readable {
  readonly upstreams: Readonly<Record<string, ConfigFile['upstreams'][string]>>
  readonly routes: Readonly<Record<string, ConfigFile['routes'][string]>>
  /** Every upstream that is written down, broken ones included. */
  readonly upstreamNames: readonly string[]
}

function readable({ upstreams, routes }: RawSections): Readable {
  return {
    upstreams: parseEach(upstreams, upstreamSchema),
    routes: parseEach(routes, routeSchema),
    upstreamNames: Object.keys(upstreams),
  }
}

function parseEach<Schema extends z.ZodType>(
  entries: Readonly<Record<string, unknown>>,
  schema: Schema,
): Record<string, z.output<Schema>> {
  return Object.fromEntries(
    Object.entries(entries).flatMap(([name, entry]) => {
      const parsed = schema.safeParse(entry)
      return parsed.success ? [[name, parsed.data]] : []
    }),
  )
}

type Mounted = ReadonlyMap<string, MountedList>

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

function mountRoutes({ routes, upstreams }: RawSections, names: PolicyNames): Mounted {
  const known = Object.keys(upstreams)
  return mapEntries(routes, (name, raw) => {
    const params = typeof raw.path === 'string' && raw.path.startsWith('/') ? parseRoutePath(raw.path).params : []
    const site = { path: `routes.${name}`, owner: name, upstreams: known, params }
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
      const first = Array.isArray(entries)
        ? names.registry.get(Object.keys(mapping(entries[0]))[0] ?? String(entries[0]))
        : undefined
      return mountList(entries, ['policies', list], first?.at ?? 'route', site, names).mistakes.filter(
        ({ message }) => !message.includes(' needs the '),
      )
    })
}

function crossMistakes(config: Readable, upstreams: Mounted, routes: Mounted): DataMistake[] {
  return [
    ...Object.entries(config.upstreams).flatMap(([name, upstream]) =>
      versionMistakes(name, upstream, upstreams.get(name)),
    ),
    ...Object.entries(config.routes).flatMap(([name, route]) => endMistakes(name, route, config, routes.get(name))),
    ...conflictMistakes(config),
  ]
}

function versionMistakes(
  name: string,
  { versions }: ConfigFile['upstreams'][string],
  mounted?: MountedList,
): DataMistake[] {
  if (!versions) return []
  const path = ['upstreams', name, 'versions']
  if (Object.keys(versions).length === 0) return [{ path, message: 'expected at least one version' }]
  const chooses = mounted?.mounts.some(({ policy }) => policy.at === 'upstream' && policy.choosesVersion)
  if (chooses || Object.keys(versions).length === 1 || (mounted?.mistakes.length ?? 0) > 0) return []
  return [
    { path, message: 'nothing chooses among the versions: add a gray-release policy to this upstream', atKey: true },
  ]
}

function endMistakes(
  name: string,
  route: ConfigFile['routes'][string],
  { upstreamNames }: Readable,
  mounted?: MountedList,
): DataMistake[] {
  const path = ['routes', name]
  const end = mounted?.mounts.find(({ policy }) => policy.at === 'route' && policy.ends)?.policy.name
  const { upstream } = route
  const mistakes: DataMistake[] = []
  if (!upstream) {
    if (end === undefined && (mounted?.mistakes.length ?? 0) === 0) {
      mistakes.push({
        path,
        message: 'the route leads nowhere: give it an upstream, or a policy that ends the chain',
        atKey: true,
      })
    }
    return mistakes
  }
  if (end !== undefined)
    mistakes.push({
      path: [...path, 'upstream'],
      message: `the upstream is never reached: "${end}" ends the chain`,
      atKey: true,
    })
  if (!upstreamNames.includes(upstream.name)) {
    const at = [...path, 'upstream', 'name']
    mistakes.push({
      path: at,
      message: `unknown upstream "${upstream.name}"${didYouMean(upstream.name, upstreamNames)}`,
    })
  }
  const { params } = parseRoutePath(route.path)
  for (const { root, path: inner, source } of 'path' in upstream ? (upstream.path?.references ?? []) : []) {
    const [parameter = ''] = inner
    const at = [...path, 'upstream', 'path']
    if (root === 'parts' || root === 'response' || root === 'body') {
      mistakes.push({
        path: at,
        message: `"${source}" has no value here: a path may read the request but not its body`,
      })
    } else if (root === 'params' && !params.includes(parameter)) {
      mistakes.push({
        path: at,
        message: `unknown parameter "${parameter}" in "${source}"${didYouMean(parameter, params)}`,
      })
    }
  }
  return mistakes
}

function conflictMistakes({ routes }: Readable): DataMistake[] {
  const mistakes: DataMistake[] = []
  const claimed = new Map<string, string>()
  for (const [name, route] of Object.entries(routes)) {
    const path = parseRoutePath(route.path)
    const repeated = path.params.find((param, i) => path.params.indexOf(param) !== i)
    if (repeated !== undefined)
      mistakes.push({ path: ['routes', name, 'path'], message: `the parameter "${repeated}" stands twice` })
    const other = (route.methods ?? METHODS)
      .map((method) => claim(claimed, method, path, name))
      .find((found) => found !== undefined)
    if (other !== undefined) {
      mistakes.push({
        path: ['routes', name, 'path'],
        message: `"${route.path}" answers the same requests as route "${other}" (${routes[other]?.path})`,
      })
    }
  }
  return mistakes
}

function claim(claimed: Map<string, string>, method: string, path: RoutePath, name: string): string | undefined {
  const key = `${method} ${shapeOf(path)}`
  const owner = claimed.get(key)
  if (owner === undefined) claimed.set(key, name)
  return owner
}

/** Gives every mistake its place; the same one found through several routes is told once. */
function place(found: readonly DataMistake[], document: ConfigDocument) {
  const placed = found.map(({ path, message, atKey }) => document.mistake(path, message, atKey))
  const seen = new Set<string>()
  return placed.filter(({ line, column, message }) => {
    const key = `${line}:${column}:${message}`
    return !seen.has(key) && seen.add(key)
  })
}

function toPlan(config: ConfigFile, upstreams: Mounted, routes: Mounted): Plan {
  const all = [...upstreams.values(), ...routes.values()].flatMap(({ mounts }) => mounts)
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
    reserved: [...new Set(all.flatMap(({ policy, options }) => policy.reserves?.(options) ?? []))],
  }
}

function versionsOf({ url, targets, versions }: ConfigFile['upstreams'][string]): VersionPlan[] {
  if (versions) return Object.entries(versions).map(([name, version]) => ({ name, targets: version.targets }))
  return [{ name: undefined, targets: targets ?? (url === undefined ? [] : [{ url, weight: 1 }]) }]
}
