import { afterAll, describe, expect, test } from 'bun:test'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

/** The samples of `docs/writing-a-policy.md`, put where they say they belong, beside the real files, and run. */

const ROOT = join(import.meta.dir, '../..')
const TITLED = /^```ts\n\/\/ (policies\/[a-z-]+\/[a-z.-]+\.ts)\n([\s\S]*?)^```$/gm

const samples = [...readFileSync(join(ROOT, 'docs/writing-a-policy.md'), 'utf8').matchAll(TITLED)].map(
  ([, path = '', source = '']) => ({ path, source }),
)

/** Inside the repository, so that packages are found; Git does not see it. */
mkdirSync(join(ROOT, '.test'), { recursive: true })
const scene = mkdtempSync(join(ROOT, '.test/documented-'))
mkdirSync(join(scene, 'policies'))
const real = [
  'gateway',
  'tests',
  'tsconfig.json',
  ...readdirSync(join(ROOT, 'policies')).map((name) => `policies/${name}`),
]
for (const path of real) symlinkSync(join(ROOT, path), join(scene, path))
for (const { path, source } of samples) {
  mkdirSync(dirname(join(scene, path)), { recursive: true })
  writeFileSync(join(scene, path), source)
}

afterAll(() => rmSync(scene, { recursive: true, force: true }))

async function run(...command: string[]): Promise<string> {
  const child = Bun.spawn(command, { cwd: scene, stdout: 'pipe', stderr: 'pipe' })
  const [output, errors] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()])
  return `${output}${errors}exit ${await child.exited}`
}

describe('the samples of docs/writing-a-policy.md', () => {
  test('are found', () => {
    expect(samples.map(({ path }) => path)).toEqual([
      'policies/deprecation/index.ts',
      'policies/deprecation/deprecation.test.ts',
      'policies/time-left/index.ts',
      'policies/time-left/time-left.test.ts',
      'policies/tenant/index.ts',
    ])
  })

  test('pass their tests', async () => {
    const tests = samples.filter(({ path }) => path.endsWith('.test.ts')).map(({ path }) => join(scene, path))
    const output = await run(process.execPath, 'test', ...tests)
    expect(output).toContain('4 pass')
    expect(output).toEndWith('exit 0')
  })

  test('have right types', async () => {
    writeFileSync(
      join(scene, 'tsconfig.samples.json'),
      JSON.stringify({
        extends: './tsconfig.json',
        compilerOptions: { typeRoots: [join(ROOT, 'node_modules/@types')] },
        include: [],
        files: samples.map(({ path }) => path),
      }),
    )
    expect(await run(join(ROOT, 'node_modules/.bin/tsc'), '-p', 'tsconfig.samples.json')).toBe('exit 0')
  }, 60_000)
})
