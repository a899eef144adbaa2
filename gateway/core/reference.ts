import type { Scope } from './scope.ts'

/** The places a template or a reference may read; each takes a name, except those that may stand alone. */
export const ROOTS = [
  'params',
  'query',
  'headers',
  'cookies',
  'claims',
  'client',
  'route',
  'body',
  'response',
  'parts',
  'item',
  'index',
  'keys',
  'command',
  'composition',
  'write',
] as const

export type Root = (typeof ROOTS)[number]

/** Places that only some policies have; each declares in `reads` which. */
export const LOCAL_ROOTS = ['response', 'parts', 'item', 'index', 'keys', 'command', 'composition', 'write'] as const

export type LocalRoot = (typeof LOCAL_ROOTS)[number]

export function isLocalRoot(root: Root): root is LocalRoot {
  return (LOCAL_ROOTS as readonly Root[]).includes(root)
}

/** One value to be read from a scope, e.g. `claims.sub` or `parts.product.body.sku`. */
export interface Reference {
  readonly root: Root
  /** Names below the root; own properties only are followed. */
  readonly path: readonly string[]
  /** As written, for messages. */
  readonly source: string
  /** Reads the value; undefined when it is not there. */
  read(scope: Scope): unknown
}

/** What is wrong with a reference or template as text, with the names it could have meant. */
export class ReferenceMistake extends Error {
  override readonly name = 'ReferenceMistake'
  /** The misspelt name. */
  readonly found: string
  readonly candidates: readonly string[]
  /** How to mend it when none of the candidates is near; begins with `: `, or is empty. */
  readonly advice: string

  constructor(
    message: string,
    {
      found = '',
      candidates = [],
      advice = '',
    }: Partial<Pick<ReferenceMistake, 'found' | 'candidates' | 'advice'>> = {},
  ) {
    super(message)
    this.found = found
    this.candidates = candidates
    this.advice = advice
  }
}

const FIXED: Readonly<Partial<Record<Root, readonly string[]>>> = {
  client: ['ip', 'id'],
  route: ['id'],
  command: ['id'],
  composition: ['complete', 'missing'],
  write: ['key'],
}
const PART_FIELDS = ['body', 'status', 'headers']
const HEADER_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/
/** The one mark a name may begin with is that of an XML element's text, `#text`. */
const NAME = /^#?[^\s{}.[\]"'`$#<>()=;,|&!?]+$/

/** Reads `root.name.name…`. Throws `ReferenceMistake` for an unknown root or a malformed name. */
export function parseReference(source: string): Reference {
  const [root = '', ...path] = source.split('.')
  if (!isRoot(root)) {
    const advice = `: say where the value stands, as in "params.${path.length === 0 && NAME.test(root) ? root : 'id'}"`
    throw new ReferenceMistake(`unknown name "${root}" in "${source}"`, { found: root, candidates: ROOTS, advice })
  }
  if (!path.every((name) => NAME.test(name))) {
    throw new ReferenceMistake(`"${source}" is not a name followed by dotted names, as in "claims.sub"`)
  }
  if (root === 'headers' && !path.every((name) => HEADER_NAME.test(name))) {
    throw new ReferenceMistake(`"${source}" does not name a header field, as in "headers.x-release"`)
  }
  const fixed = FIXED[root]
  const last = path.at(-1) ?? ''
  if (fixed && (path.length !== 1 || !fixed.includes(last))) {
    const advice = `: ${root} has ${fixed.join(' and ')}`
    throw new ReferenceMistake(`unknown name "${path.join('.')}" in "${source}"`, {
      found: last,
      candidates: fixed,
      advice,
    })
  }
  if (root === 'parts') checkPart(source, path)
  else if (NAMELESS.has(root)) {
    if (path.length > 0) throw new ReferenceMistake(`"${source}" goes too deep: "${root}" is one value`)
  } else if (path.length === 0 && !MAY_STAND_ALONE.has(root)) {
    throw new ReferenceMistake(`"${source}" lacks a name, as in "${root}.id"`)
  } else if (path.length > 1 && FLAT.has(root)) {
    throw new ReferenceMistake(`"${source}" goes too deep: ${root} hold plain values, as in "${root}.${path[0]}"`)
  }
  return { root, path, source, read: reader(root, path) }
}

const MAY_STAND_ALONE: ReadonlySet<Root> = new Set(['body', 'response', 'item'])
const NAMELESS: ReadonlySet<Root> = new Set(['index', 'keys'])
const FLAT: ReadonlySet<Root> = new Set(['params', 'query', 'headers', 'cookies'])

function isRoot(name: string): name is Root {
  return (ROOTS as readonly string[]).includes(name)
}

function checkPart(source: string, path: readonly string[]): void {
  const [name, field] = path
  if (name === undefined || field === undefined) {
    throw new ReferenceMistake(`"${source}" must say which part and what of it, as in "parts.product.body.sku"`)
  }
  if (!PART_FIELDS.includes(field)) {
    const advice = `: a part has ${PART_FIELDS.join(', ')}, as in "parts.${name}.body.${field}"`
    throw new ReferenceMistake(`unknown name "${field}" in "${source}"`, {
      found: field,
      candidates: PART_FIELDS,
      advice,
    })
  }
}

function reader(root: Root, path: readonly string[]): (scope: Scope) => unknown {
  const [first = ''] = path
  switch (root) {
    case 'params':
      return ({ params }) => (Object.hasOwn(params, first) ? params[first] : undefined)
    case 'query':
      return (scope) => scope.query(first)
    case 'headers':
      return (scope) => scope.header(first)
    case 'cookies':
      return (scope) => scope.cookie(first)
    case 'client':
      return first === 'ip' ? (scope) => scope.clientIp : (scope) => scope.clientId
    case 'route':
      return (scope) => scope.route
    case 'claims':
      return (scope) => dig(scope.claims, path)
    case 'body':
      return (scope) => dig(scope.body, path)
    case 'response':
      return (scope) => dig(scope.response, path)
    case 'command':
      return (scope) => dig(scope.command, path)
    case 'composition':
      return (scope) => dig(scope.composition, path)
    case 'write':
      return (scope) => dig(scope.write, path)
    case 'parts':
      return (scope) => dig(scope.parts, path)
    case 'item':
      return (scope) => dig(scope.item, path)
    case 'index':
      return (scope) => scope.index
    case 'keys':
      return (scope) => scope.keys
  }
}

/** Follows own properties only, so that `__proto__` and `constructor` find nothing. */
function dig(value: unknown, path: readonly string[]): unknown {
  let current = value
  for (const name of path) {
    if (typeof current !== 'object' || current === null || !Object.hasOwn(current, name)) return undefined
    current = (current as Record<string, unknown>)[name]
  }
  return current
}
