/** Functions of JSONata that cost no more than what they are given, or that are bounded here. */
export const FUNCTIONS: readonly string[] = [
  ...['sum', 'count', 'max', 'min', 'average', 'string', 'substring', 'substringBefore', 'substringAfter'],
  ...['lowercase', 'uppercase', 'length', 'trim', 'pad', 'contains', 'replace', 'split', 'join'],
  ...['formatNumber', 'formatBase', 'formatInteger', 'number', 'floor', 'ceil', 'round', 'abs', 'sqrt', 'power'],
  ...['boolean', 'not', 'map', 'zip', 'filter', 'single', 'reduce', 'sift', 'keys', 'lookup', 'append', 'exists'],
  ...['spread', 'merge', 'reverse', 'each', 'error', 'assert', 'type', 'sort', 'distinct', 'base64encode'],
  ...['base64decode', 'encodeUrlComponent', 'encodeUrl', 'decodeUrlComponent', 'decodeUrl', 'toMillis', 'fromMillis'],
  ...['clone'],
]

const UNCHECKED = 'runs a text that nobody has checked'
const BY_CHANCE = 'the same replies must give the same answer'
const REFUSED: Readonly<Record<string, string>> = {
  eval: UNCHECKED,
  random: BY_CHANCE,
  shuffle: BY_CHANCE,
  now: BY_CHANCE,
  millis: BY_CHANCE,
  match: 'it needs a regular expression, which nothing can stop',
  parseInteger: 'it makes a regular expression of its picture, which nothing can stop',
}

/** Functions whose second argument says a format, which has to stand in the expression itself. */
const WITH_PICTURE: ReadonlySet<string> = new Set(['formatNumber', 'formatInteger', 'fromMillis'])
const LONGEST_PICTURE = 64

export interface NameMistake {
  readonly message: string
  readonly position?: number | undefined
  /** The misspelt name and what it could have meant. */
  readonly found?: string
  readonly candidates?: readonly string[]
}

interface Node {
  readonly type?: unknown
  readonly value?: unknown
  readonly position?: unknown
  readonly focus?: unknown
  readonly index?: unknown
  readonly steps?: unknown
  readonly lhs?: unknown
  readonly rhs?: unknown
  readonly procedure?: unknown
  readonly arguments?: unknown
}

/** What an expression reads of what it is given. */
export interface NamesRead {
  /** Names among the given variables. */
  readonly given: ReadonlySet<string>
  /** Names `x` of `$parts.x`, with where they stand. */
  readonly parts: ReadonlyMap<string, number | undefined>
}

/** Searches a syntax tree for what must not run; gives what it reads of the variables `given`. */
export function namesIn(tree: unknown, given: readonly string[]): NameMistake | NamesRead {
  const nodes = [...nodesOf(tree, new Set())]
  const own = new Set(nodes.flatMap(boundBy))
  const read = new Set<string>()
  const parts = new Map<string, number | undefined>()
  for (const node of nodes) {
    const mistake = costMistake(node) ?? variableMistake(node, own, given)
    if (mistake) return { ...mistake, position: positionOf(node) }
    if (node.type === 'variable' && given.includes(String(node.value))) read.add(String(node.value))
    const part = partIn(node)
    if (part && !own.has('parts')) parts.set(String(part.value), positionOf(part))
  }
  return { given: read, parts }
}

/** `x` in the path `$parts.x`. */
function partIn({ type, steps }: Node): Node | undefined {
  if (type !== 'path' || !Array.isArray(steps)) return undefined
  const [variable, name]: readonly (Node | undefined)[] = steps
  return variable?.type === 'variable' && variable.value === 'parts' && name?.type === 'name' ? name : undefined
}

function positionOf({ position }: Node): number | undefined {
  return typeof position === 'number' ? position : undefined
}

function* nodesOf(value: unknown, seen: Set<object>): Generator<Node> {
  if (typeof value !== 'object' || value === null || seen.has(value) || value instanceof RegExp) return
  seen.add(value)
  if (!Array.isArray(value)) yield value
  for (const inner of Object.values(value)) yield* nodesOf(inner, seen)
}

/** Names that a node gives a value: `:=`, parameters, `@$name` and `#$name`. */
function boundBy({ type, lhs, arguments: parameters, focus, index }: Node): string[] {
  const bound = type === 'bind' ? [lhs] : type === 'lambda' && Array.isArray(parameters) ? parameters : []
  return [...bound.map((node: Node) => node.value), focus, index].filter((name) => typeof name === 'string')
}

function costMistake(node: Node): NameMistake | undefined {
  if (node.type === 'regex') return { message: 'a regular expression is refused: nothing could stop a slow one' }
  const called = node.type === 'apply' ? node.rhs : node
  const { type, procedure, arguments: given } = (called ?? {}) as Node
  const name = String((procedure as Node | undefined)?.value)
  if (type !== 'function' || !Array.isArray(given)) return undefined
  const others: Node[] = node.type === 'apply' ? given : given.slice(1)
  if (name === 'toMillis' && others.length > 0) {
    return { message: '"$toMillis" with a picture is refused: it makes a regular expression of it' }
  }
  if (!WITH_PICTURE.has(name) || others.every(isPlain)) return undefined
  return {
    message: `what "$${name}" formats with must be written out, in at most ${LONGEST_PICTURE} characters and three-digit widths`,
  }
}

function isPlain({ type, value }: Node): boolean {
  if (type === 'number') return true
  return type === 'string' && String(value).length <= LONGEST_PICTURE && !/[,-]\d{4,}/.test(String(value))
}

function variableMistake({ type, value }: Node, own: ReadonlySet<string>, given: readonly string[]) {
  if (type !== 'variable' || typeof value !== 'string' || value === '' || value === '$') return undefined
  if (Object.hasOwn(REFUSED, value)) return { message: `"$${value}" is refused: ${REFUSED[value]}` }
  if (own.has(value) || given.includes(value) || FUNCTIONS.includes(value)) return undefined
  return {
    message: `unknown function or variable "$${value}"`,
    found: `$${value}`,
    candidates: [...own, ...given, ...FUNCTIONS].map((name) => `$${name}`),
  }
}
