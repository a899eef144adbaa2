import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createJsonSchema, createOptionSchemas } from '../gateway/config/json-schema.ts'
import type { Policy } from '../gateway/core/policy.ts'
import { builtInPolicies } from '../policies/index.ts'
import { renderPolicyReference } from './policy-reference.ts'

/** Writes the files that are made from the schemas; with `--check`, says which are out of date and exits 1. */

const ROOT = fileURLToPath(new URL('..', import.meta.url))

/** Every generated file, by its path from the top. */
export function generateFiles(root = ROOT): ReadonlyMap<string, string> {
  const options = createOptionSchemas(builtInPolicies)
  const documented = builtInPolicies.map((policy) => ({
    policy,
    summary: summaryOf(policy, root),
    options: options.get(policy.name) ?? {},
  }))
  return new Map([
    ['config/gateway.schema.json', `${JSON.stringify(createJsonSchema(builtInPolicies), null, 2)}\n`],
    ['docs/policies.md', renderPolicyReference(documented)],
  ])
}

/** The generated files whose content differs from what is on disk. */
export function staleFiles(root = ROOT): string[] {
  return [...generateFiles()].filter(([path, text]) => read(join(root, path)) !== text).map(([path]) => path)
}

/** The docstring of a policy's default export: its one sentence, written once. */
function summaryOf({ name }: Policy, root: string): string {
  const source = readFileSync(join(root, 'policies', name, 'index.ts'), 'utf8')
  const [, docstring] = /\/\*\*((?:[^*]|\*(?!\/))*)\*\/\s*export default definePolicy\(/.exec(source) ?? []
  if (docstring === undefined) throw new Error(`Cannot document "${name}": its default export has no docstring`)
  return docstring
    .replace(/^\s*\* ?/gm, ' ')
    .replace(/\s+/g, ' ')
    .trim()
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}

function main(args: readonly string[]): number {
  if (args.includes('--check')) {
    const stale = staleFiles()
    for (const path of stale) console.error(`${path} is out of date: run npm run generate`)
    return stale.length === 0 ? 0 : 1
  }
  for (const [path, text] of generateFiles()) writeFileSync(join(ROOT, path), text)
  return 0
}

if (import.meta.main) process.exitCode = main(process.argv.slice(2))
