import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, posix } from 'node:path'
import { fileURLToPath } from 'node:url'

/** Checks who may import whom; every refusal prints its reason. */

interface Area {
  /** Files of the area, by path from the top. */
  readonly files: RegExp
  /** What they may import: paths from the top, or names of packages. `$1` is what `files` captured. */
  readonly allows: readonly string[]
  readonly because: string
}

/** A file belongs to the first area that fits. Tests may import anything, except those of the mocks. */
const AREAS: readonly Area[] = [
  {
    files: /^upstream-mocks\//,
    allows: ['upstream-mocks/', 'package'],
    because: 'a mock that shares our code cannot catch our bugs',
  },
  { files: /\.test\.ts$|^policies\/[^/]+\/test-[^/]+\.ts$|^tests\/|^bench\/|^scripts\//, allows: [''], because: '' },
  {
    files: /^gateway\/runtimes\//,
    allows: ['gateway/', 'policies/', 'upstream-mocks/', 'package', 'runtime'],
    because: 'a runtime puts the parts together and tests nothing',
  },
  { files: /^gateway\/core\//, allows: ['gateway/core/', 'zod', 'ipaddr.js'], because: 'the core knows nobody' },
  {
    files: /^gateway\/(routing|broker)\//,
    allows: ['gateway/core/', 'gateway/$1/'],
    because: 'routing and the broker stand on the core alone',
  },
  {
    files: /^gateway\/(events|services)\//,
    allows: ['gateway/core/', 'gateway/$1/', 'package'],
    because: 'a service implements an interface of the core and knows no other part',
  },
  {
    files: /^gateway\/saga\//,
    allows: ['gateway/core/', 'gateway/events/', 'gateway/saga/'],
    because: 'writes are undone by the rules by which unknown outcomes are settled',
  },
  {
    files: /^gateway\/config\//,
    allows: ['gateway/core/', 'gateway/routing/', 'gateway/config/', 'package'],
    because: 'the configuration is read before anything runs',
  },
  {
    files: /^gateway\/(entry|upstream)\//,
    allows: ['gateway/core/', 'gateway/config/', 'gateway/routing/', 'gateway/$1/', 'package'],
    because: 'what handles requests works on the core and on a checked plan',
  },
  {
    files: /^gateway\/admin\//,
    allows: ['gateway/core/', 'gateway/admin/', 'package'],
    because: 'the admin listener watches the gateway through interfaces of the core',
  },
  {
    files: /^gateway\/hono\.ts$/,
    allows: ['gateway/', 'hono'],
    because: 'Hono is known in this file and nowhere else',
  },
  {
    files: /^gateway\/[^/]+\.ts$/,
    allows: ['gateway/', 'package'],
    because: 'the gateway does not know the policies it runs',
  },
  {
    files: /^policies\/index\.ts$/,
    allows: ['gateway/core/', 'policies/'],
    because: 'the registry only lists policies',
  },
  {
    files: /^policies\/cors\//,
    allows: ['gateway/core/', 'gateway/config/fields.ts', 'gateway/hono.ts', 'policies/cors/', 'hono/cors', 'zod'],
    because: 'policies never import each other, nor the parts of the gateway they run in',
  },
  {
    files: /^policies\/aggregate\//,
    allows: [
      'gateway/core/',
      'gateway/config/fields.ts',
      'policies/aggregate/',
      'zod',
      'jose',
      'lru-cache',
      'fast-xml-parser',
      'jsonata',
    ],
    because: 'policies never import each other, nor the parts of the gateway they run in: they receive services',
  },
  {
    files: /^policies\/([^/]+)\//,
    allows: ['gateway/core/', 'gateway/config/fields.ts', 'policies/$1/', 'zod', 'jose', 'lru-cache'],
    because: 'policies never import each other, nor the parts of the gateway they run in: they receive services',
  },
]

/** What no area may import, whatever else it may. */
const NEVER: readonly { readonly files: RegExp; readonly imports: RegExp; readonly because: string }[] = [
  {
    files: /^(?:gateway\/(?!runtimes\/)|policies\/)(?!.*\.bun\.test\.ts$)/,
    imports: /^(?:node:|bun$|bun:(?!test$)|cloudflare:|jsr:|npm:)/,
    because: 'runtime modules live in gateway/runtimes, so that everything else runs everywhere',
  },
  {
    files: /^gateway\/(?!runtimes\/|admin\/|hono(?:\.test)?\.ts$).*/,
    imports: /^hono(?:\/|$)/,
    because: 'Hono is known in gateway/hono.ts and to the admin listener, which is no part of the data path',
  },
  {
    files: /^(?!gateway\/runtimes\/|tests\/|scripts\/|bench\/)(?!.*\.test\.ts$)/,
    imports: /^gateway\/runtimes\//,
    because: 'only an entry file chooses a runtime',
  },
  {
    files: /^(?!tests\/|scripts\/|bench\/).*(?<!\.test)\.ts$(?<!\/test-[^/]+)/,
    imports: /^(?:tests\/|bench\/|scripts\/|bun:test$|.*\.test\.ts$)/,
    because: 'what is shipped never depends on its tests',
  },
]

export interface Violation {
  readonly file: string
  readonly imported: string
  readonly because: string
}

/** Every import under `root` that crosses a boundary. */
export function findViolations(root: string): Violation[] {
  return TOP_LEVEL.flatMap((folder) => sourceFiles(root, folder)).flatMap((file) =>
    importsOf(readFileSync(join(root, file), 'utf8')).flatMap((specifier) => {
      const imported = specifier.startsWith('.') ? posix.join(dirname(file), specifier) : specifier
      const because = refusal(file, imported)
      return because === undefined ? [] : [{ file, imported, because }]
    }),
  )
}

const TOP_LEVEL = ['gateway', 'policies', 'upstream-mocks', 'tests', 'scripts', 'bench']

function refusal(file: string, imported: string): string | undefined {
  const never = NEVER.find((rule) => rule.files.test(file) && rule.imports.test(imported))
  if (never) return never.because
  const area = AREAS.find(({ files }) => files.test(file))
  if (!area) return 'this file is in no known place: add its folder to scripts/check-boundaries.ts'
  const [, own = ''] = area.files.exec(file) ?? []
  return area.allows.some((allowed) => covers(allowed.replace('$1', own), imported)) ? undefined : area.because
}

function covers(allowed: string, imported: string): boolean {
  if (allowed === '') return true
  const isOurs = TOP_LEVEL.some((folder) => imported.startsWith(`${folder}/`))
  const isRuntime = /^(?:node:|bun$|bun:|cloudflare:)/.test(imported)
  if (allowed === 'package') return !isOurs && !imported.startsWith('.')
  if (allowed === 'runtime') return isRuntime
  return allowed.endsWith('/') ? imported.startsWith(allowed) : imported === allowed
}

const IMPORT =
  /(?:^|[\n;])\s*(?:import|export)\b[^'"`;]*?\bfrom\s*['"]([^'"\n]+)['"]|(?:^|[\n;])\s*import\s*['"]([^'"\n]+)['"]|\bimport\s*\(\s*['"]([^'"\n]+)['"]\s*\)/g

/** The modules a source file names, for values and for types, statically and dynamically. */
export function importsOf(source: string): string[] {
  return [...source.matchAll(IMPORT)].flatMap(([, from, bare, dynamic]) => from ?? bare ?? dynamic ?? [])
}

function sourceFiles(root: string, folder: string): string[] {
  try {
    return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
      .filter((path) => path.endsWith('.ts') && !path.includes('node_modules'))
      .map((path) => posix.join(folder, path))
      .sort()
  } catch {
    // A folder that is not there yet has nothing to check.
    return []
  }
}

if (import.meta.main) {
  const violations = findViolations(fileURLToPath(new URL('..', import.meta.url)))
  for (const { file, imported, because } of violations) console.error(`${file} imports ${imported}: ${because}`)
  process.exitCode = violations.length === 0 ? 0 : 1
}
