import type { Reference } from './reference.ts'
import type { Scope } from './scope.ts'

/** Values by the source of the reference that read them, as JSON can keep them. */
export type RecordedValues = Readonly<Record<string, unknown>>

/** Reads what the references will need later, everything but `response`. */
export function recordValues(references: readonly Reference[], scope: Scope): RecordedValues {
  const known = references.filter(({ root }) => root !== 'response')
  return Object.fromEntries(known.map((reference) => [reference.source, reference.read(scope)]))
}

type Tree = { [name: string]: unknown }

/** A scope that gives every recorded reference its value back, and has nothing else but the response. */
export function recordedScope(values: RecordedValues, response?: unknown): Scope {
  const tree = plant(values)
  const flat = (root: string): Readonly<Record<string, string>> => (tree[root] ?? {}) as Record<string, string>
  const client = flat('client')
  return {
    params: flat('params'),
    query: (name) => flat('query')[name],
    header: (name) => flat('headers')[name],
    cookie: (name) => flat('cookies')[name],
    claims: tree.claims,
    clientIp: client.ip,
    clientId: client.id,
    route: String(values['route.id'] ?? ''),
    body: tree.body,
    parts: tree.parts,
    write: tree.write,
    response,
  }
}

/** `{ 'body.note': 1 }` → `{ body: { note: 1 } }`, without prototypes: names such as `__proto__` are names like any other. */
function plant(values: RecordedValues): Tree {
  const tree = bare()
  // What holds others comes before them, and holds their values already.
  const sources = Object.keys(values).sort((a, b) => a.length - b.length)
  for (const source of sources) {
    const path = source.split('.')
    if (!path.some((_, i) => i > 0 && Object.hasOwn(values, path.slice(0, i).join('.')))) {
      setAt(tree, path, values[source])
    }
  }
  return tree
}

function setAt(tree: Tree, path: readonly string[], value: unknown): void {
  let current = tree
  for (const name of path.slice(0, -1)) {
    current[name] ??= bare()
    current = current[name] as Tree
  }
  current[path.at(-1) ?? ''] = value
}

function bare(): Tree {
  return Object.create(null) as Tree
}
