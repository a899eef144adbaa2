import type { z } from 'zod'
import { parseRoutePath, type RoutePath, shapeOf } from '../routing/route-path.ts'
import type { DataMistake } from './issues.ts'
import { didYouMean } from './mistake.ts'
import type { MountedList } from './policies.ts'
import { type ConfigFile, METHODS, routeSchema, upstreamSchema } from './schema.ts'

/** Mounted policy lists by the name of their upstream or route. */
export type Mounted = ReadonlyMap<string, MountedList>

/** The upstreams and routes that are well-formed on their own, so that what they say of each other is checked too. */
export interface Readable {
  readonly upstreams: Readonly<Record<string, ConfigFile['upstreams'][string]>>
  readonly routes: Readonly<Record<string, ConfigFile['routes'][string]>>
  /** Every upstream that is written down, broken ones included. */
  readonly upstreamNames: readonly string[]
  /** Routes that give their upstream's name and nothing else. */
  readonly namedOnly: ReadonlySet<string>
}

/** Reads every upstream and route by itself, so that one broken route does not hide what is wrong between the others. */
export function readable({ upstreams, routes }: RawUpstreamsAndRoutes): Readable {
  return {
    upstreams: parseEach(upstreams, upstreamSchema),
    routes: parseEach(routes, routeSchema),
    upstreamNames: Object.keys(upstreams),
    namedOnly: new Set(Object.keys(routes).filter((name) => typeof routes[name]?.upstream === 'string')),
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

interface RawUpstreamsAndRoutes {
  readonly upstreams: Readonly<Record<string, unknown>>
  readonly routes: Readonly<Record<string, Readonly<Record<string, unknown>>>>
}

/** Mistakes that no part shows by itself: names that lead nowhere, routes that contradict each other. */
export function crossMistakes(config: Readable, upstreams: Mounted, routes: Mounted): DataMistake[] {
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
  { upstreamNames, namedOnly }: Readable,
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
    const at = namedOnly.has(name) ? [...path, 'upstream'] : [...path, 'upstream', 'name']
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
