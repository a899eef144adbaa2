import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { rename, rm, writeFile } from 'node:fs/promises'
import { until } from '../support/real-time.ts'
import { OK, openScene, type Scene, simpleConfig } from './scene.ts'

/** A changed file is checked whole and swapped in; a broken one changes nothing. Nobody notices but the log. */

let scene: Scene
const finish = Promise.withResolvers<void>()

beforeAll(async () => {
  scene = await openScene({
    answer: ({ requestLine }) => (requestLine.includes('/slow') ? [{ waitFor: finish.promise }, OK] : [OK]),
  })
})
afterAll(() => scene.close())

const reloads = (outcome: 'configuration reloaded' | 'configuration not reloaded') =>
  scene.lines.filter(({ message }) => message.startsWith(outcome)).length

/** A configuration whose route sends `x-generation` upstream. */
function generation(n: number): string {
  const headers = { request: { set: { 'x-generation': String(n) } } }
  return JSON.stringify(simpleConfig(scene.upstream.url, { route: { policies: [{ headers }] } }))
}

async function served(): Promise<string | undefined> {
  expect((await scene.get('/x')).status).toBe(200)
  return scene.upstream.requests.at(-1)?.values('x-generation')[0]
}

describe('a configuration file', () => {
  test('that changes is served from then on, twenty times over, without one failed request', async () => {
    const statuses: number[] = []
    let done = false
    const load = Promise.all(
      Array.from({ length: 4 }, async () => {
        while (!done) statuses.push((await scene.get('/load')).status)
      }),
    )
    for (let n = 1; n <= 20; n++) {
      // Written in place and replaced in turn: editors do either.
      if (n % 2) await writeFile(scene.file, generation(n))
      else {
        await writeFile(`${scene.file}.new`, generation(n))
        await rename(`${scene.file}.new`, scene.file)
      }
      await until(`generation ${n}`, async () => (await served()) === String(n))
    }
    done = true
    await load
    expect(statuses.length).toBeGreaterThan(100)
    expect(statuses.filter((status) => status !== 200)).toEqual([])
    expect(reloads('configuration reloaded')).toBe(20)
  }, 120_000)

  test('lets requests in flight finish on the old one', async () => {
    const slow = scene.get('/slow')
    await until('the request in flight', () =>
      scene.upstream.requests.some(({ requestLine }) => requestLine.includes('/slow')),
    )
    await writeFile(scene.file, generation(21))
    await until('generation 21', async () => (await served()) === '21')
    finish.resolve()
    expect((await slow).status).toBe(200)
    const old = scene.upstream.requests.find(({ requestLine }) => requestLine.includes('/slow'))
    expect(old?.values('x-generation')).toEqual(['20'])
  })

  test('names the keys that take effect with a restart only', async () => {
    const config = JSON.parse(generation(21))
    config.server = { ...config.server, limits: { url: '8KiB' } }
    config.services = { ...config.services, outbox: 'sqlite:elsewhere.db' }
    await writeFile(scene.file, JSON.stringify(config))
    const warning = () => scene.lines.findLast(({ message }) => message.endsWith('with a restart only'))
    await until('the warning', () => warning() !== undefined)
    expect(warning()?.facts.keys).toEqual(['server.limits.url', 'services.outbox'])
    await writeFile(scene.file, generation(21))
    await until('the reload', () => reloads('configuration reloaded') === 24)
  })

  for (const [name, text] of [
    ['that is broken', 'version: 1\nroutes: { all: { path: "/*", upstream: nowhere } }\n'],
    ['that is half written', generationText()],
    ['that is empty', ''],
    ['that announces events for the first time, which needs a restart,', announcingText()],
    ['that names an exchange for the first time, which needs a restart,', topologyText()],
  ] as const) {
    test(`${name} changes nothing, and is logged once`, async () => {
      const refusedBefore = reloads('configuration not reloaded')
      await writeFile(scene.file, text)
      await until('the refusal', () => reloads('configuration not reloaded') > refusedBefore)
      for (let i = 0; i < 20; i++) expect(await served()).toBe('21')
      expect(reloads('configuration not reloaded')).toBe(refusedBefore + 1)
      const line = scene.lines.findLast(({ message }) => message.startsWith('configuration not reloaded'))
      expect(line?.level).toBe('error')
      expect(JSON.stringify(line?.facts.mistakes)).toContain(scene.file)
    })
  }

  test('that is written slowly is not served before its last policies are there', async () => {
    const { version, services, upstreams } = simpleConfig(scene.upstream.url)
    const open = [
      `version: ${version}`,
      `services: ${JSON.stringify(services)}`,
      `upstreams: ${JSON.stringify(upstreams)}`,
      'routes:',
      '  all:',
      '    path: /*',
      '    upstream: main',
      '    policies:',
      '      - headers: { request: { set: { x-generation: "21" } } }',
      '',
    ].join('\n')
    await writeFile(scene.file, open)
    const before = reloads('configuration reloaded')
    const endsAt = Date.now() + 350
    while (Date.now() < endsAt) expect((await scene.get('/x')).status).toBe(200)
    await writeFile(scene.file, `${open}      - respond: { status: 418 }\n`.replace('    upstream: main\n', ''))
    await until('the whole file', async () => (await scene.get('/x')).status === 418)
    // The part alone, which was right in itself, never took effect.
    expect(reloads('configuration reloaded')).toBe(before + 1)
    await writeFile(scene.file, generation(21))
    await until('generation 21 again', async () => (await scene.get('/x')).status === 200)
  })

  test('that is deleted changes nothing, is logged once, and is taken up again when it returns', async () => {
    const refusedBefore = reloads('configuration not reloaded')
    await rm(scene.file)
    await until('the refusal', () => reloads('configuration not reloaded') > refusedBefore)
    expect(await served()).toBe('21')
    expect(reloads('configuration not reloaded')).toBe(refusedBefore + 1)
    await writeFile(scene.file, generation(22))
    await until('generation 22', async () => (await served()) === '22')
  })

  test('written fifty times in a second is read in the end, and serves all the while', async () => {
    const refusedBefore = reloads('configuration not reloaded')
    for (let n = 23; n <= 72; n++) {
      await writeFile(scene.file, generation(n))
      expect((await scene.get('/x')).status).toBe(200)
    }
    await until('generation 72', async () => (await served()) === '72')
    expect(reloads('configuration not reloaded')).toBe(refusedBefore)
  })
})

function generationText(): string {
  return '{"version":1,"upstreams":{"main":{"url":"http://127.0.0.1:1"}},"routes":{"all":{"pa'
}

/** A good configuration, but one for which no outbox has been opened. */
function topologyText(): string {
  const config = simpleConfig('http://127.0.0.1:1')
  return JSON.stringify({ ...config, topology: { exchanges: ['reload.events'] } })
}

function announcingText(): string {
  const publish = {
    type: 'order.placed',
    exchange: 'shop.events',
    subject: '{response.body.id}',
    data: '{response.body}',
  }
  return JSON.stringify(simpleConfig('http://127.0.0.1:1', { route: { policies: [{ publish }] } }))
}
