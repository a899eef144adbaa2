import type { Template } from '../core/template.ts'
import { normalizePath } from './request-path.ts'
import type { RoutePath, Segment } from './route-path.ts'
import { createRouter, type Routable } from './router.ts'

/** A route as far as its path and its upstream's go. */
export interface Mapping extends Routable {
  readonly upstream: { readonly name: string; readonly path: Template | undefined } | undefined
}

/** What leads an upstream's path back to a client's. */
export interface Way {
  readonly upstream: string
  /** The client's request: how it will come again, and its path, normalised. */
  readonly method: string
  readonly path: string
}

/** Finds the path a client would ask for to reach `inside`, a path of an upstream. */
export type PublicPath = (inside: string, way: Way) => string

interface Inverse {
  readonly inside: readonly Segment[]
  readonly outside: RoutePath
}

/**
 * Inverts the path templates of all routes, once. For a reply of `own` (a route, or undefined for a reply that came from
 * a policy's own call) these are tried, and the first that some route answers is taken: the way back through `own`, then
 * through the other routes to the same upstream, the most specific first. What lies below the path that a route asks for
 * lies below the route's path too. When no route answers any, it is the way back through `own`, else the path itself.
 */
export function createPublicPaths<Route extends Mapping>(
  routes: readonly Route[],
): (own: Route | undefined) => PublicPath {
  const router = createRouter(routes)
  const inverses = new Map<string, Inverse[]>()
  const inverseOf = new Map<Route, Inverse>()
  for (const route of routes) {
    const inverse = invert(route)
    if (!route.upstream || !inverse) continue
    inverseOf.set(route, inverse)
    inverses.set(route.upstream.name, [...(inverses.get(route.upstream.name) ?? []), inverse])
  }
  for (const list of inverses.values()) list.sort((a, b) => rank(a.inside).localeCompare(rank(b.inside)))

  return (own) => {
    const first = own && inverseOf.get(own)
    return (inside, { upstream, method, path }) => {
      const normal = normalizePath(inside)
      // No client can ask for it, whatever it is mapped to.
      if ('refusal' in normal) return inside
      const segments = normal.path.slice(1).split('/')
      const isAnswered = (candidate: string | undefined): candidate is string =>
        candidate !== undefined && router.match(method, candidate).kind === 'found'
      const back = first && wayBack(first, segments, path.slice(1).split('/'))
      if (isAnswered(back)) return back
      for (const inverse of inverses.get(upstream) ?? []) {
        const other = wayBack(inverse, segments)
        if (isAnswered(other)) return other
      }
      return back ?? normal.path
    }
  }
}

const PARAM = /^\{\s*params\.([^\s{}]+)\s*\}$/

/** Undefined when the path asked for depends on more than the path that came, or on a part of a segment. */
function invert({ path: outside, upstream }: Mapping): Inverse | undefined {
  if (!upstream?.path) return { inside: outside.segments, outside }
  const [path = ''] = upstream.path.source.split('?', 1)
  const inside = path.slice(1).split('/').map(parseSegment)
  if (inside.slice(0, -1).some((segment) => segment?.kind === 'rest')) return undefined
  return inside.every((segment) => segment !== undefined) ? { inside, outside } : undefined
}

function parseSegment(text: string): Segment | undefined {
  const name = PARAM.exec(text)?.[1]
  if (name === undefined) return /[{}]/.test(text) ? undefined : { kind: 'literal', text }
  return name === '*' ? { kind: 'rest' } : { kind: 'param', name }
}

const RANKS: Readonly<Record<Segment['kind'], string>> = { literal: '0', param: '1', rest: '2' }

/** Sorts what is more specific first; an end is the least specific, since anything may lie below it. */
function rank(segments: readonly Segment[]): string {
  return `${segments.map(({ kind }) => RANKS[kind]).join('')}3`
}

/** `asked` is what the client asked this route for: it has the parameters that the upstream is not told. */
function wayBack(
  { inside, outside }: Inverse,
  segments: readonly string[],
  asked?: readonly string[],
): string | undefined {
  const bound = bind(inside, segments)
  if (!bound) return undefined
  const path: string[] = []
  for (const [i, segment] of outside.segments.entries()) {
    const name = segment.kind === 'param' ? segment.name : '*'
    const value =
      segment.kind === 'literal'
        ? [segment.text]
        : (bound.values.get(name) ?? (segment.kind === 'rest' ? asked?.slice(i) : asked?.slice(i, i + 1)))
    if (!value) return undefined
    path.push(...value)
  }
  return `/${[...path, ...bound.below].join('/')}`
}

interface Bound {
  readonly values: ReadonlyMap<string, readonly string[]>
  readonly below: readonly string[]
}

function bind(pattern: readonly Segment[], segments: readonly string[]): Bound | undefined {
  const values = new Map<string, readonly string[]>()
  for (const [i, segment] of pattern.entries()) {
    const text = segments[i]
    if (text === undefined) return undefined
    if (segment.kind === 'rest') return { values: values.set('*', segments.slice(i)), below: [] }
    if (segment.kind === 'literal' && text !== segment.text) return undefined
    if (segment.kind === 'param') {
      const known = values.get(segment.name)?.[0]
      if (text === '' || (known !== undefined && known !== text)) return undefined
      values.set(segment.name, [text])
    }
  }
  return { values, below: segments.slice(pattern.length) }
}
