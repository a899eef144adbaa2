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
      const question: Question = { method, path, allow: undefined }
      const route = find(root, question, 1)
      if (route) return { kind: 'found', route, params: readParams(route.path.segments, path) }
      return question.allow ? { kind: 'method-not-allowed', allow: [...question.allow].sort() } : { kind: 'not-found' }
    },
  }
}

interface Question {
  readonly method: string
  readonly path: string
  /** Methods of the routes that know the path and not the method; undefined when there were none. */
  allow: Set<string> | undefined
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

/** Most specific first; a route that knows the path but not the method lends its methods to `Allow`. `at`: where the segment begins. */
function find<Route extends Routable>(node: Node<Route>, question: Question, at: number): Route | undefined {
  const { path } = question
  if (at > path.length) return pick(node.here, question)
  const end = endOf(path, at)
  const literal = node.literals.size > 0 ? node.literals.get(path.slice(at, end)) : undefined
  const deeper =
    (literal && find(literal, question, end + 1)) ??
    (end > at && node.param ? find(node.param, question, end + 1) : undefined)
  return deeper ?? pick(node.rest, question)
}

function endOf(path: string, at: number): number {
  const slash = path.indexOf('/', at)
  return slash < 0 ? path.length : slash
}

function pick<Route extends Routable>(routes: readonly Route[], question: Question): Route | undefined {
  for (const route of routes) {
    if (route.methods === undefined || route.methods.includes(question.method)) return route
  }
  for (const { methods = [] } of routes) {
    for (const method of methods) {
      question.allow ??= new Set()
      question.allow.add(method)
    }
  }
  return undefined
}

const NO_PARAMS: Readonly<Record<string, string>> = Object.freeze({})

function readParams(pattern: readonly Segment[], path: string): Readonly<Record<string, string>> {
  let params: Record<string, string> | undefined
  let at = 1
  for (const segment of pattern) {
    const end = segment.kind === 'rest' ? path.length : endOf(path, at)
    if (segment.kind !== 'literal') {
      params ??= {}
      params[segment.kind === 'rest' ? '*' : segment.name] = decode(path.slice(at, end))
    }
    at = end + 1
  }
  return params ?? NO_PARAMS
}

/** Exactly once. Normalisation has made sure that no encoded slash hides here, and that it is UTF-8. */
function decode(text: string): string {
  return text.includes('%') ? decodeURIComponent(text) : text
}
