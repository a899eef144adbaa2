import { afterAll, beforeAll, expect, test } from 'bun:test'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'

/** What nobody asked for is not loaded: it would take time at each start, and memory for as long as the gateway runs. */

const RUNTIME = join(import.meta.dir, '../../gateway/runtimes/bun')

let folder: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-loading-'))
})

afterAll(() => rm(folder, { recursive: true }))

/** The packages that a fresh process has loaded when it has run the statements. */
async function packagesAfter(statements: string): Promise<string[]> {
  const told = `console.log('loaded ' + JSON.stringify(Object.keys(require.cache)))`
  const child = Bun.spawn([process.execPath, '--eval', `${statements}\n${told}\nprocess.exit(0)`], {
    cwd: RUNTIME,
    stdout: 'pipe',
    stderr: 'pipe',
  })
  const [output, errors] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()])
  const loaded = /^loaded (.*)$/m.exec(output)?.[1]
  if (loaded === undefined) throw new Error(`The process said ${output}${errors}`)
  const files: string[] = JSON.parse(loaded)
  const names = files.map((file) => /.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(file)?.[1])
  return [...new Set(names.filter((name) => name !== undefined))].sort()
}

/** Statements that start a gateway with these services and policies. */
async function starting(services: object, policies: readonly object[] = []): Promise<string> {
  const config = join(folder, `${crypto.randomUUID()}.yaml`)
  const routes = { r: { path: '/x', policies: [...policies, { respond: { status: 204 } }] } }
  await Bun.write(config, JSON.stringify({ version: 1, services, routes }))
  return `
    const { startGateway } = await import('./start.ts')
    const log = { info() {}, warn() {}, error() {} }
    await startGateway({ config: ${JSON.stringify(config)}, port: 0, adminPort: 0, log })`
}

const REDIS = '@redis/client'
const BROKER = '@cloudamqp/amqp-client'

test('a gateway on its own loads no client of a server', async () => {
  const loaded = await packagesAfter(await starting({ store: 'memory:' }))
  expect(loaded).toContain('zod')
  expect(loaded).not.toContain(REDIS)
  expect(loaded).not.toContain(BROKER)
  expect(loaded).not.toContain('@upstash/ratelimit')
})

test('a gateway with a Redis loads its client', async () => {
  const loaded = await packagesAfter(await starting({ store: 'redis://127.0.0.1:1' }))
  expect(loaded).toContain(REDIS)
  expect(loaded).toContain('@upstash/ratelimit')
  expect(loaded).not.toContain(BROKER)
})

test('a check of a file loads what reads files, and nothing that serves', async () => {
  const loaded = await packagesAfter(`
    const { findCommand } = await import('./cli/commands.ts')
    const { command, rest } = findCommand(['check', '../../../config/gateway.yaml'])
    await command.run(rest, {})`)
  expect(loaded).toContain('yaml')
  for (const name of [REDIS, BROKER, 'prom-client']) expect(loaded).not.toContain(name)
  expect(await packagesAfter(`await import('./cli/dead-letters.ts')`)).toContain(BROKER)
})
