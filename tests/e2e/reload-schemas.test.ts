import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { mkdir, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { until } from '../support/real-time.ts'
import { openScene, type Scene, SERVICES } from './scene.ts'

/** The schemas beside a configuration file take effect as the file does, in whichever way they come and go. */

let scene: Scene
let folder: string

beforeAll(async () => {
  scene = await openScene({ config: commandsConfig })
  folder = join(dirname(scene.file), 'events')
})
afterAll(() => scene.close())

function commandsConfig() {
  const enqueue = { type: 'order.requested', exchange: 'shop.commands', 'status-path': '/commands/{command.id}' }
  return {
    version: 1,
    services: SERVICES,
    routes: {
      order: { path: '/orders', methods: ['POST'], policies: [{ enqueue }] },
      status: { path: '/commands/:id', methods: ['GET'], policies: [{ 'command-status': { id: 'params.id' } }] },
    },
  }
}

const schema = (required: string) =>
  JSON.stringify({ type: 'object', properties: { [required]: { type: 'string' } }, required: [required] })
const nameOf = (type: string) => join(folder, `${type}.schema.json`)

async function order(body: object): Promise<number> {
  const headers = { 'content-type': 'application/json' }
  const response = await fetch(`${scene.url}/orders`, { method: 'POST', headers, body: JSON.stringify(body) })
  await response.arrayBuffer()
  return response.status
}

const refusals = () => scene.lines.filter(({ message }) => message.startsWith('configuration not reloaded'))
const reloads = () => scene.lines.filter(({ message }) => message === 'configuration reloaded').length

describe('a schema of events', () => {
  test('takes effect when its folder comes, although the file stays as it is', async () => {
    expect(await order({})).toBe(202)
    await mkdir(folder)
    await writeFile(nameOf('order.requested'), schema('sku'))
    await until('the schema', async () => (await order({})) === 400)
    expect(await order({ sku: 'MUG-001' })).toBe(202)
  })

  test('takes effect when it is written anew, in place or replaced', async () => {
    await writeFile(nameOf('order.requested'), schema('id'))
    await until('the change in place', async () => (await order({ id: '1' })) === 202)
    await writeFile(`${nameOf('order.requested')}.new`, schema('name'))
    await rename(`${nameOf('order.requested')}.new`, nameOf('order.requested'))
    await until('the replacement', async () => (await order({ name: 'mug' })) === 202)
    expect(await order({ id: '1' })).toBe(400)
  })

  for (const [name, spoil, told] of [
    ['is broken', () => writeFile(nameOf('order.requested'), '{'), 'cannot be used'],
    ['has become a folder', folderInstead, 'cannot be used: it is a folder'],
  ] as const) {
    test(`that ${name} keeps the old configuration serving, and is logged once`, async () => {
      const before = refusals().length
      await spoil()
      await until('the refusal', () => refusals().length > before)
      expect(JSON.stringify(refusals().at(-1)?.facts.mistakes)).toContain(told)
      // Something else changes in the folder: that is looked at, and is no news.
      await writeFile(nameOf('order.unheard-of'), '{')
      const reloaded = reloads()
      expect(await order({ name: 'mug' })).toBe(202)
      expect(await order({})).toBe(400)
      await rm(nameOf('order.requested'), { recursive: true })
      await writeFile(nameOf('order.requested'), schema('name'))
      await until('the mended one', () => reloads() > reloaded)
      expect(refusals().length).toBe(before + 1)
    })
  }

  test('that nobody asked for changes nothing', async () => {
    const reloaded = reloads()
    await writeFile(nameOf('order.unheard-of'), schema('nothing'))
    await writeFile(nameOf('order.requested'), schema('last'))
    await until('the schema that counts', async () => (await order({ last: '1' })) === 202)
    expect(reloads()).toBe(reloaded + 1)
  })

  test('takes no effect any more when its folder goes', async () => {
    await rm(folder, { recursive: true })
    await until('no schema', async () => (await order({})) === 202)
  })
})

async function folderInstead(): Promise<void> {
  await rm(nameOf('order.requested'))
  await mkdir(nameOf('order.requested'))
}
