import { cpSync, existsSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** `npm run new:policy <name>`: a policy of your own to begin with: source, test, README, and its line in the registry. */

const NAME = /^[a-z][a-z0-9]*(?:-[a-z0-9]+)*$/

/** Copies the template under a new name and registers it. Throws when the name will not do. */
export function createPolicy(name: string, root: string): void {
  if (!NAME.test(name))
    throw new Error(`Cannot create policy "${name}": expected a name in kebab-case such as "geo-block"`)
  const folder = join(root, 'policies', name)
  if (existsSync(folder)) throw new Error(`Cannot create policy "${name}": policies/${name} exists already`)

  cpSync(join(root, 'policies/_template'), folder, { recursive: true })
  for (const file of readdirSync(folder)) {
    const path = join(folder, file)
    writeFileSync(path, renamed(readFileSync(path, 'utf8'), name))
    renameSync(path, join(folder, renamed(file, name)))
  }
  const registry = join(root, 'policies/index.ts')
  writeFileSync(registry, register(readFileSync(registry, 'utf8'), name))
}

function renamed(text: string, name: string): string {
  return text.replaceAll('my-policy', name).replaceAll('myPolicy', toIdentifier(name))
}

function toIdentifier(name: string): string {
  return name.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase())
}

/** Adds the import and the line of a policy, both in alphabetical order. */
export function register(registry: string, name: string): string {
  const lines = registry.split('\n')
  const importLine = `import ${toIdentifier(name)} from './${name}/index.ts'`
  insertInOrder(lines, importLine, (line) => /from '\.\/([^/]+)\/index\.ts'$/.exec(line)?.[1], name)
  insertInOrder(lines, `  ${toIdentifier(name)},`, (line) => /^ {2}(\w+),$/.exec(line)?.[1], toIdentifier(name))
  return lines.join('\n')
}

function insertInOrder(lines: string[], line: string, keyOf: (line: string) => string | undefined, key: string): void {
  const keyed = lines.flatMap((candidate, i) => {
    const found = keyOf(candidate)
    return found === undefined ? [] : [{ found, i }]
  })
  const next = keyed.find(({ found }) => found > key)
  const last = keyed.at(-1)
  if (!last) throw new Error('Cannot register the policy: policies/index.ts lists none')
  lines.splice(next?.i ?? last.i + 1, 0, line)
}

if (import.meta.main) {
  const [name = ''] = process.argv.slice(2)
  try {
    createPolicy(name, fileURLToPath(new URL('..', import.meta.url)))
    console.log(`Created policies/${name} and its line in policies/index.ts. Next:
  npx bun test policies/${name}   its tests
  npm run fix                   format it and bring the generated pages up to date`)
  } catch (error) {
    console.error(error instanceof Error ? error.message : error)
    process.exitCode = 1
  }
}
