import { isLocalRoot } from '../core/reference.ts'
import type { Template } from '../core/template.ts'
import { parseRoutePath, type RoutePath, shapeOf } from '../routing/route-path.ts'
import type { DataMistake } from './issues.ts'
import { linkMistakes } from './link-checks.ts'
import { didYouMean } from './mistake.ts'
import type { MountedList } from './policies.ts'
import { METHODS, routeSchema } from './schema.ts'

/** Mounted policy lists by the name of their upstream or route. */
export type Mounted = ReadonlyMap<string, MountedList>

/** What upstreams and routes say of each other, as far as it can be read. */
export interface Readable {
  /** Every upstream that is written down, with its versions if it is to have any. */
  readonly upstreams: ReadonlyMap<string, readonly string[] | undefined>
  readonly routes: ReadonlyMap<string, ReadableRoute>
}

/** A field is undefined when it is not there or cannot be read. */
export interface ReadableRoute {
  readonly path: string | undefined
  readonly methods: readonly string[] | undefined
  readonly upstream: { readonly name: string; readonly path?: Template | undefined } | undefined
  /** Fields that are written down, readable or not. */
  readonly written: ReadonlySet<string>
  /** False when the route has mistakes of its own, which may be why it lacks something. */
  readonly isWhole: boolean
  /** True when the upstream is given by its name and nothing else. */
  readonly isNameOnly: boolean
}

type RawSection = Readonly<Record<string, Readonly<Record<string, unknown>>>>

/** Reads every field by itself, so that one mistake does not hide what is wrong between this entry and the others. */
export function readable(raw: { readonly upstreams: RawSection; readonly routes: RawSection }): Readable {
  return {
    upstreams: new Map(
      Object.entries(raw.upstreams).map(([name, { versions }]) => [
        name,
        isMapping(versions) ? Object.keys(versions) : undefined,
      ]),
    ),
    routes: new Map(Object.entries(raw.routes).map(([name, route]) => [name, readRoute(route)])),
  }
}

function readRoute(raw: Readonly<Record<string, unknown>>): ReadableRoute {
  const { path, methods, upstream } = routeSchema.shape
  const { upstream: target } = raw
  const named = isMapping(target) && typeof target.name === 'string' ? { name: target.name } : undefined
  return {
    path: path.safeParse(raw.path).data,
    methods: methods.safeParse(raw.methods).data,
    upstream: upstream.safeParse(target).data ?? named,
    written: new Set(Object.keys(raw)),
    isWhole: routeSchema.safeParse(raw).success,
    isNameOnly: typeof target === 'string',
  }
}

function isMapping(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Mistakes that no part shows by itself: names that lead nowhere, routes that contradict each other. */
export function crossMistakes(config: Readable, upstreams: Mounted, routes: Mounted): DataMistake[] {
  return [
    ...[...config.upstreams].flatMap(([name, versions]) => versionMistakes(name, versions, upstreams.get(name))),
    ...[...config.routes].flatMap(([name, route]) => [
      ...endMistakes(name, route, routes.get(name)),
      ...upstreamMistakes(name, route, [...config.upstreams.keys()]),
    ]),
    ...conflictMistakes(config),
    ...linkMistakes(config.routes, routes),
  ]
}

function versionMistakes(name: string, versions?: readonly string[], mounted?: MountedList): DataMistake[] {
  if (!versions) return []
  const path = ['upstreams', name, 'versions']
  if (versions.length === 0) return [{ path, message: 'expected at least one version' }]
  const chooses = mounted?.mounts.some(({ policy }) => policy.at === 'upstream' && policy.choosesVersion)
  if (chooses || versions.length === 1 || (mounted?.mistakes.length ?? 0) > 0) return []
  return [
    { path, message: 'nothing chooses among the versions: add a gray-release policy to this upstream', atKey: true },
  ]
}

function endMistakes(name: string, { written, isWhole }: ReadableRoute, mounted?: MountedList): DataMistake[] {
  const path = ['routes', name]
  const end = mounted?.mounts.find(({ policy }) => policy.at === 'route' && policy.ends)?.policy.name
  if (written.has('upstream') && end !== undefined) {
    const message = `the upstream is never reached: "${end}" ends the chain`
    return [{ path: [...path, 'upstream'], message, atKey: true }]
  }
  if (!isWhole || written.has('upstream') || end !== undefined || (mounted?.mistakes.length ?? 0) > 0) return []
  return [
    { path, message: 'the route leads nowhere: give it an upstream, or a policy that ends the chain', atKey: true },
  ]
}

function upstreamMistakes(name: string, route: ReadableRoute, upstreams: readonly string[]): DataMistake[] {
  const { upstream, path, isNameOnly } = route
  if (!upstream) return []
  const at = ['routes', name, 'upstream']
  const mistakes: DataMistake[] = []
  if (!upstreams.includes(upstream.name)) {
    const message = `unknown upstream "${upstream.name}"${didYouMean(upstream.name, upstreams)}`
    mistakes.push({ path: isNameOnly ? at : [...at, 'name'], message })
  }
  const params = path === undefined ? undefined : parseRoutePath(path).params
  for (const { root, path: inner, source } of upstream.path?.references ?? []) {
    const [parameter = ''] = inner
    if (isLocalRoot(root) || root === 'body') {
      const message = `"${source}" has no value here: a path may read the request but not its body`
      mistakes.push({ path: [...at, 'path'], message })
    } else if (root === 'params' && params && !params.includes(parameter)) {
      const message = `unknown parameter "${parameter}" in "${source}"${didYouMean(parameter, params)}`
      mistakes.push({ path: [...at, 'path'], message })
    }
  }
  return mistakes
}

function conflictMistakes({ routes }: Readable): DataMistake[] {
  const mistakes: DataMistake[] = []
  const claimed = new Map<string, string>()
  for (const [name, { path: source, methods, written }] of routes) {
    if (source === undefined) continue
    const path = parseRoutePath(source)
    const repeated = path.params.find((param, i) => path.params.indexOf(param) !== i)
    if (repeated !== undefined)
      mistakes.push({ path: ['routes', name, 'path'], message: `the parameter "${repeated}" stands twice` })
    if (written.has('methods') && !methods) continue
    const other = (methods ?? METHODS)
      .map((method) => claim(claimed, method, path, name))
      .find((found) => found !== undefined)
    if (other !== undefined) {
      const message = `"${source}" answers the same requests as route "${other}" (${routes.get(other)?.path})`
      mistakes.push({ path: ['routes', name, 'path'], message })
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
