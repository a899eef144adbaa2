/** One segment of a route's path. */
export type Segment =
  | { readonly kind: 'literal'; readonly text: string }
  | { readonly kind: 'param'; readonly name: string }
  | { readonly kind: 'rest' }

/** A route's path, taken apart at load. A trailing slash is an empty literal: `/a` and `/a/` are different paths. */
export interface RoutePath {
  readonly source: string
  readonly segments: readonly Segment[]
  /** Names of the parameters, `*` for the rest. */
  readonly params: readonly string[]
}

/** Takes `/products/:id` or `/files/*` apart. The configuration schema has checked the syntax. */
export function parseRoutePath(source: string): RoutePath {
  const segments = source.slice(1).split('/').map(parseSegment)
  const params = segments.flatMap((segment) =>
    segment.kind === 'param' ? [segment.name] : segment.kind === 'rest' ? ['*'] : [],
  )
  return { source, segments, params }
}

function parseSegment(text: string): Segment {
  if (text === '*') return { kind: 'rest' }
  return text.startsWith(':') ? { kind: 'param', name: text.slice(1) } : { kind: 'literal', text }
}

/** Equal for two paths exactly when they answer the same requests: parameter names do not matter. */
export function shapeOf({ segments }: RoutePath): string {
  return segments
    .map((segment) => (segment.kind === 'literal' ? segment.text : segment.kind === 'param' ? ':' : '*'))
    .join('/')
}
