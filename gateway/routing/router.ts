import type { RoutePath, Segment } from './route-path.ts'

/** A route as the router needs it. */
export interface Routable {
  readonly path: RoutePath
  /** Undefined: every method. */
  readonly methods: readonly string[] | undefined
}

export type Match<Route> =
  | { readonly kind: 'found'; readonly route: Route; readonly params: Readonly<Record<string, string>> }
  /** Some route knows the path, none this method. */
  | { readonly kind: 'method-not-allowed'; readonly allow: readonly string[] }
  | { readonly kind: 'not-found' }

export interface Router<Route> {
  /** Finds the most specific route for a normalised path: literal before parameter before rest, segment by segment. */
  match(method: string, path: string): Match<Route>
}

interface Node<Route> {
  readonly literals: Map<string, Node<Route>>
  param: Node<Route> | undefined
  /** Routes that end here. */
  readonly here: Route[]
  /** Routes that take whatever follows, from here on. */
  readonly rest: Route[]
}

/**
 * Builds the tree once, at load. A match walks one node a segment and backtracks only where a literal and a parameter
 * compete, so its cost depends on the path and not on the number of routes.
 */
export function createRouter<Route extends Routable>(routes: Iterable<Route>): Router<Route> {
  const root = createNode<Route>()
  for (const route of routes) insert(root, route)

  return {
    match(method, path) {
      const segments = path.slice(1).split('/')
      const allow = new Set<string>()
      const route = find(root, segments, 0, method, allow)
      if (route) return { kind: 'found', route, params: readParams(route.path.segments, segments) }
      return allow.size > 0 ? { kind: 'method-not-allowed', allow: [...allow].sort() } : { kind: 'not-found' }
    },
  }
}

function createNode<Route>(): Node<Route> {
  return { literals: new Map(), param: undefined, here: [], rest: [] }
}

function insert<Route extends Routable>(root: Node<Route>, route: Route): void {
  let node = root
  for (const segment of route.path.segments) {
    if (segment.kind === 'rest') {
      node.rest.push(route)
      return
    }
    node = segment.kind === 'param' ? paramOf(node) : literalOf(node, segment.text)
  }
  node.here.push(route)
}

function paramOf<Route>(node: Node<Route>): Node<Route> {
  node.param ??= createNode()
  return node.param
}

function literalOf<Route>(node: Node<Route>, text: string): Node<Route> {
  const known = node.literals.get(text)
  if (known) return known
  const made = createNode<Route>()
  node.literals.set(text, made)
  return made
}

/** Most specific first; a route that knows the path but not the method lends its methods to `Allow`. */
function find<Route extends Routable>(
  node: Node<Route>,
  segments: readonly string[],
  depth: number,
  method: string,
  allow: Set<string>,
): Route | undefined {
  const segment = segments[depth]
  if (segment === undefined) return pick(node.here, method, allow)
  const literal = node.literals.get(segment)
  const deeper =
    (literal && find(literal, segments, depth + 1, method, allow)) ??
    (segment !== '' && node.param ? find(node.param, segments, depth + 1, method, allow) : undefined)
  return deeper ?? pick(node.rest, method, allow)
}

function pick<Route extends Routable>(routes: readonly Route[], method: string, allow: Set<string>): Route | undefined {
  const found = routes.find(({ methods }) => methods === undefined || methods.includes(method))
  if (!found) for (const { methods } of routes) for (const one of methods ?? []) allow.add(one)
  return found
}

const NO_PARAMS: Readonly<Record<string, string>> = Object.freeze({})

function readParams(pattern: readonly Segment[], segments: readonly string[]): Readonly<Record<string, string>> {
  let params: Record<string, string> | undefined
  for (const [i, segment] of pattern.entries()) {
    if (segment.kind === 'literal') continue
    params ??= {}
    if (segment.kind === 'param') params[segment.name] = decode(segments[i] ?? '')
    else params['*'] = segments.slice(i).map(decode).join('/')
  }
  return params ?? NO_PARAMS
}

/** Exactly once. Normalisation has made sure that no encoded slash hides here, and that it is UTF-8. */
function decode(segment: string): string {
  return segment.includes('%') ? decodeURIComponent(segment) : segment
}
