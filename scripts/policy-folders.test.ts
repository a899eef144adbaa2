import { describe, expect, test } from 'bun:test'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { builtInPolicies } from '../policies/index.ts'

const POLICIES = fileURLToPath(new URL('../policies/', import.meta.url))

const folders = readdirSync(POLICIES, { withFileTypes: true })
  .filter((entry) => entry.isDirectory() && !entry.name.startsWith('_'))
  .map(({ name }) => ({ name }))

describe('the folders of policies/', () => {
  test('are the registry, each under its own name', () => {
    expect(builtInPolicies.map(({ name }) => name)).toEqual(folders.map(({ name }) => name).sort())
  })

  test.each(folders)('$name has a test and a README that shows it in YAML', ({ name }) => {
    expect(readdirSync(POLICIES + name).filter((file) => file.endsWith('.test.ts'))).not.toEqual([])
    expect(existsSync(`${POLICIES}${name}/README.md`)).toBe(true)
    const readme = readFileSync(`${POLICIES}${name}/README.md`, 'utf8')
    expect(readme).toStartWith(`# ${name}\n`)
    expect(readme).toContain('```yaml')
    expect(readme).toContain(`- ${name}`)
  })
})
