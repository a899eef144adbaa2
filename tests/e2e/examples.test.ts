import { describe, expect, test } from 'bun:test'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { METRICS } from '../../gateway/core/metrics.ts'
import { createTestGateway } from '../support/gateway.ts'

/** Whoever copies a configuration from this repository gets one that works. */

const ROOT = join(import.meta.dir, '../..')

const filesOf = (folder: string, ending: string): string[] =>
  readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith(ending))
    .map((path) => join(folder, path))
    .sort()

const examples = ['config/gateway.yaml', ...filesOf('config/examples', '.yaml')].map((name) => ({
  name,
  config: readFileSync(join(ROOT, name), 'utf8'),
}))

/** Fenced YAML that begins with `version: 1` is a whole file; everything else is a fragment. */
const WHOLE_FILE = /^```yaml\n(version: 1\n[\s\S]*?)^```$/gm

const documented = [
  'README.md',
  'CONTRIBUTING.md',
  ...filesOf('docs', '.md'),
  ...filesOf('policies', 'README.md'),
].flatMap((file) => wholeFilesOf(file).map((config, i) => ({ name: `${file}, ${i + 1}. block`, config })))

function wholeFilesOf(file: string): string[] {
  try {
    return [...readFileSync(join(ROOT, file), 'utf8').matchAll(WHOLE_FILE)].map(([, config = '']) => config)
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return []
    throw error
  }
}

/** Without a route for it the gateway answers by itself; with a catch-all the scripted upstream says "ok". */
async function expectToServe(config: string): Promise<void> {
  const gateway = await createTestGateway({ config })
  const response = await gateway.fetch('/no-route-has-this-path', { method: 'DELETE' })
  expect([200, 404]).toContain(response.status)
  expect(gateway.records).toHaveLength(1)
}

describe('every example', () => {
  test.each(examples)('compiles and answers: $name', async ({ config }) => {
    await expectToServe(config)
  })

  test('is refused once a key of it is misspelt', async () => {
    for (const { config } of examples) {
      const misspelt = config.replace(/^routes:$/m, 'route:')
      const loading = createTestGateway({ config: misspelt })
      expect(String(await loading.catch((error: unknown) => error))).toContain('did you mean "routes"?')
    }
  })
})

describe('docs/operating.md', () => {
  const table = readFileSync(join(ROOT, 'docs/operating.md'), 'utf8')
  const documentedMetrics = [
    ...table.matchAll(/^\| `(sluice_[a-z_]+)(?:\{([a-z,]+)\})?` +\| (?:counter|gauge|histogram) /gm),
  ].map(([, name, labels = '']) => ({
    name,
    labels,
  }))

  test('lists every metric with its labels, and no other', () => {
    const declared = Object.entries(METRICS).map(([name, { labels }]) => ({ name, labels: labels.join(',') }))
    const byName = (a: { name?: string | undefined }, b: { name?: string | undefined }) =>
      String(a.name).localeCompare(String(b.name))
    expect(documentedMetrics.sort(byName)).toEqual(declared.sort(byName))
  })
})

describe('every whole configuration in the documentation', () => {
  test('is found', () => {
    expect(documented.map(({ name }) => name)).toContain('docs/configuration.md, 1. block')
  })

  test.each(documented)('compiles: $name', async ({ config }) => {
    await expectToServe(config)
  })
})
