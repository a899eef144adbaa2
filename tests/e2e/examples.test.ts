import { describe, expect, test } from 'bun:test'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { FAILURES } from '../../gateway/core/errors.ts'
import { METRICS } from '../../gateway/core/metrics.ts'
import { COMMANDS, isCommand } from '../../gateway/runtimes/bun/cli/commands.ts'
import { mistakesOf } from '../support/config-mistakes.ts'
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
  test('lists every command', () => {
    const [, overview = ''] = /\n## Start and stop\n\n```sh\n([\s\S]*?)```/.exec(table) ?? []
    const listed = overview.matchAll(/^sluice ([a-z]+(?:-[a-z]+)*(?: [a-z]+)?)(?= |$)/gm)
    const names = Object.entries(COMMANDS).flatMap(([first, found]) =>
      isCommand(found) ? [first] : Object.keys(found).map((second) => `${first} ${second}`),
    )
    expect([...listed].map(([, name]) => name).sort()).toEqual(names.sort())
  })

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

describe('the pages', () => {
  test('show the mistakes of a broken file as they are told', () => {
    const page = readFileSync(join(ROOT, 'docs/configuration.md'), 'utf8')
    const text = /```yaml\n(# broken\.yaml\n[\s\S]*?)```/.exec(page)?.[1] ?? ''
    const shown = /check broken\.yaml\n([\s\S]*?)\n\n(\d+) mistakes/.exec(page)
    const told = mistakesOf(text)
    expect(told.map((mistake) => `broken.yaml:${mistake}`).join('\n')).toBe(shown?.[1] ?? '')
    expect(told).toHaveLength(Number(shown?.[2]))
  })

  test('list every problem code', () => {
    const page = readFileSync(join(ROOT, 'docs/http.md'), 'utf8')
    const listed = [...page.matchAll(/^\| `([a-z-]+)` \| (\d{3}) \| (.*) \|$/gm)].map(([, code, status, title]) => ({
      code,
      status,
      title,
    }))
    const known = Object.entries(FAILURES).map(([code, { status, title }]) => ({ code, status: String(status), title }))
    expect(listed).toEqual(known)
  })
})
