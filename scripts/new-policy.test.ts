import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createPolicy, register } from './new-policy.ts'

const REPOSITORY = fileURLToPath(new URL('..', import.meta.url))
const REGISTRY =
  "import cors from './cors/index.ts'\nimport rateLimit from './rate-limit/index.ts'\n\nexport const all = [\n  cors,\n  rateLimit,\n]\n"

let root: string

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'sluice-new-policy-'))
  mkdirSync(join(root, 'policies'))
  cpSync(join(REPOSITORY, 'policies/_template'), join(root, 'policies/_template'), { recursive: true })
  writeFileSync(join(root, 'policies/index.ts'), REGISTRY)
})

afterEach(() => {
  rmSync(root, { recursive: true })
})

describe('new-policy', () => {
  test('makes a folder with source, test and README under the new name', () => {
    createPolicy('geo-block', root)
    const folder = join(root, 'policies/geo-block')
    expect(readdirSync(folder).sort()).toEqual(['README.md', 'geo-block.test.ts', 'index.ts'])
    const source = readFileSync(join(folder, 'index.ts'), 'utf8')
    expect(source).toContain("name: 'geo-block'")
    expect(source).toContain('function geoBlock(')
    for (const file of readdirSync(folder)) expect(readFileSync(join(folder, file), 'utf8')).not.toMatch(/my-?policy/i)
  })

  test('registers it in alphabetical order', () => {
    createPolicy('geo-block', root)
    expect(readFileSync(join(root, 'policies/index.ts'), 'utf8')).toBe(
      "import cors from './cors/index.ts'\nimport geoBlock from './geo-block/index.ts'\nimport rateLimit from './rate-limit/index.ts'\n\nexport const all = [\n  cors,\n  geoBlock,\n  rateLimit,\n]\n",
    )
  })

  test.each([
    { name: 'first', policy: 'audit', order: ['audit', 'cors', 'rateLimit'] },
    { name: 'last', policy: 'waf', order: ['cors', 'rateLimit', 'waf'] },
  ])('registers one that comes $name', ({ policy, order }) => {
    const lines = register(REGISTRY, policy)
      .split('\n')
      .filter((line) => /^ {2}\w+,$/.test(line))
    expect(lines.map((line) => line.trim().replace(',', ''))).toEqual([...order])
  })

  test.each([
    { name: 'a name in another case', policy: 'GeoBlock' },
    { name: 'a path', policy: '../evil' },
    { name: 'no name', policy: '' },
    { name: 'the name of a policy there is', policy: '_template' },
  ])('refuses $name and leaves everything as it was', ({ policy }) => {
    expect(() => createPolicy(policy, root)).toThrow('Cannot create policy')
    expect(readFileSync(join(root, 'policies/index.ts'), 'utf8')).toBe(REGISTRY)
    expect(existsSync(join(root, 'evil'))).toBe(false)
  })

  test('never overwrites a policy', () => {
    createPolicy('geo-block', root)
    expect(() => createPolicy('geo-block', root)).toThrow('exists already')
  })

  test('copies a source that fits on one screen', () => {
    const source = readFileSync(join(REPOSITORY, 'policies/_template/index.ts'), 'utf8')
    expect(source.trimEnd().split('\n').length).toBeLessThanOrEqual(20)
  })
})
