import { principal } from '../core/keys.ts'
import type { RouteLink, RoutePolicy } from '../core/policy.ts'
import { parseRoutePath } from '../routing/route-path.ts'
import { createRouter } from '../routing/router.ts'
import type { Mounted, ReadableRoute } from './cross-checks.ts'
import type { DataMistake } from './issues.ts'
import type { Mount } from './plan.ts'
import { references } from './policies.ts'

/** Mistakes of addresses that policies hand out: each must lead to a route that answers it, for the same callers. */
export function linkMistakes(routes: ReadonlyMap<string, ReadableRoute>, mounted: Mounted): DataMistake[] {
  const links = [...mounted].flatMap(([name, { mounts }]) => mounts.flatMap((mount) => linksOf(name, mount)))
  // What a route without a readable path would have answered, nobody knows.
  if (links.length === 0 || ![...routes.values()].every(isReadable)) return []
  const router = createRouter(
    [...routes].map(([name, { path = '', methods }]) => ({ name, path: parseRoutePath(path), methods })),
  )
  return links.flatMap((link) => {
    const [address = ''] = link.address.source.split('?')
    // Braces stand in no route's path, so that a reference matches parameters alone.
    const match = router.match('GET', address)
    const found = match.kind === 'found' ? { name: match.route.name, params: match.params } : undefined
    const message = mistakeOf(link, address, mounted, found)
    return message === undefined ? [] : [{ path: link.at, message }]
  })
}

interface PlacedLink extends RouteLink {
  readonly route: string
  readonly at: DataMistake['path']
}

interface Found {
  readonly name: string
  readonly params: Readonly<Record<string, string>>
}

function linksOf(route: string, { policy, options, optionsPath }: Mount): PlacedLink[] {
  if (policy.at !== 'route') return []
  return (policy.links?.(options) ?? []).map((link) => ({ ...link, route, at: [...optionsPath, ...link.path] }))
}

function isReadable({ path, methods, written }: ReadableRoute): boolean {
  return path !== undefined && (methods !== undefined || !written.has('methods'))
}

function mistakeOf(
  { policy, carries, route }: PlacedLink,
  address: string,
  mounted: Mounted,
  found: Found | undefined,
) {
  const asked = `GET ${address}`
  if (!found) return `no route answers "${asked}": add one with the policy "${policy}"`
  const { mounts = [], mistakes = [] } = mounted.get(found.name) ?? {}
  const target = mounts.find((mount) => mount.policy.name === policy)
  if (!target) {
    if (mistakes.length > 0) return undefined
    return `"${asked}" leads to route "${found.name}", which has no policy "${policy}"`
  }
  const read = [...references(target.options)].filter(({ found: { root } }) => root === 'params')
  if (!read.some(({ found: { path } }) => found.params[path[0] ?? ''] === `{${carries}}`)) {
    const sources = read.map(({ found: { source } }) => `"${source}"`).join(', ') || 'nothing'
    return `"${policy}" of route "${found.name}" reads ${sources} of its path, and that is not {${carries}} here`
  }
  if (establishesCaller(mounted.get(route)?.mounts) && !establishesCaller(mounts)) {
    return `route "${found.name}" does not know its caller, and only who asks here may ask there: give it the same authentication`
  }
  return undefined
}

function establishesCaller(mounts: readonly Mount[] = []): boolean {
  return mounts.some(({ policy }) => (policy as RoutePolicy).provides?.includes(principal) ?? false)
}
