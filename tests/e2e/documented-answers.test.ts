import { describe, expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createSagaGateway } from '../support/saga-gateway.ts'

/** The whole examples of `policies/aggregate/README.md` and `docs/writes.md`: each file is loaded, each request sent. */

const ROOT = join(import.meta.dir, '../..')
const EXAMPLE = /^```\n\$ curl -i http:\/\/localhost:8787(\S+)(?: --json '(.*)')?\n([\s\S]*?)^```$/gm

interface Example {
  readonly path: string
  readonly json: string | undefined
  /** Status line, fields and body as the page shows them. */
  readonly answer: string
}

function readPage(path: string) {
  const page = readFileSync(join(ROOT, path), 'utf8')
  const [, config = ''] = /^```yaml\n(version: 1\n[\s\S]*?)^```$/m.exec(page) ?? []
  const examples = [...page.matchAll(EXAMPLE)].map(
    ([, path = '', json, answer = '']): Example => ({ path, json, answer }),
  )
  return { page, config, examples }
}

/** Sends what an example shows; gives the answer as it would be shown: what differs each time gives way to a sign. */
async function send(
  { path, json, answer }: Example,
  { gateway, clock }: Awaited<ReturnType<typeof createSagaGateway>>,
) {
  const asking = gateway.fetch(path, json === undefined ? {} : { method: 'POST', body: json })
  await clock.advance(400)
  const response = await asking
  const text = await response.text()
  const shown = answer.matchAll(/^([A-Za-z-]+): /gm)
  const fields = [...shown].map(([, name = '']) => `${name}: ${response.headers.get(name)}`)
  const [statusLine = ''] = answer.split('\n')
  const status = statusLine.replace(/\d{3}/, String(response.status))
  return masked([status, ...fields, '', text, ''].join('\n'))
}

const masked = (answer: string) =>
  answer
    .replace(/;dur=\d+/g, ';dur')
    .replace(/^ETag: "[^"]+"$/m, 'ETag: "…"')
    .replace(/"instance":"[^"]+"/, '"instance":"…"')

describe('policies/aggregate/README.md', () => {
  const { page, config, examples } = readPage('policies/aggregate/README.md')
  const replies = new Map(
    [...page.matchAll(/^\| `(http:\S+)` +\| `(.+)` +\|$/gm)].map(([, url = '', reply = '']) => [url, reply]),
  )
  const fault: Readonly<Record<string, () => Response | Promise<Response>>>[] = [
    {},
    {
      'http://inventory.internal:8080/stock/7': () => new Response(null, { status: 500 }),
      'http://pricing.internal:8080/prices/7': () => new Promise<Response>(() => {}),
    },
    {
      'http://catalog.internal:8080/products/7': () => Promise.reject(new TypeError('refused')),
      'http://inventory.internal:8080/stock/7': () => new Promise<Response>(() => {}),
      'http://pricing.internal:8080/prices/7': () => new Promise<Response>(() => {}),
    },
  ]

  test('has as many examples as are tried here', () => {
    expect([examples.length, replies.size]).toEqual([fault.length, 4])
  })

  test.each(examples.map((example, i) => ({ example, i })))(
    'example $i answers what it shows',
    async ({ example, i }) => {
      const scene = await createSagaGateway({
        config,
        upstream: ({ url }) =>
          fault[i]?.[url]?.() ?? new Response(replies.get(url), { headers: { 'content-type': 'application/json' } }),
      })
      expect(await send(example, scene)).toBe(masked(example.answer))
    },
  )
})

describe('docs/writes.md', () => {
  const { page, config, examples } = readPage('docs/writes.md')
  const [, asked = ''] = /^```\n((?:(?:POST|DELETE) .*\n)+)```$/m.exec(page) ?? []

  async function openTrips(text: string) {
    const calls: string[] = []
    const scene = await createSagaGateway({
      config: text,
      upstream: async (request) => {
        const { pathname } = new URL(request.url)
        calls.push(`${request.method} ${pathname} ${await request.text()}`.trim())
        if (pathname === '/charges') return Response.json({}, { status: 402 })
        return Response.json(pathname === '/bookings' ? { id: 'f1', price: 240 } : { id: 'h1' }, { status: 201 })
      },
    })
    return { scene, calls }
  }

  test('answers what it shows, and asks for what it lists', async () => {
    const [example, ...others] = examples
    if (!example) throw new Error('There is no example')
    expect(others).toEqual([])
    const { scene, calls } = await openTrips(config)
    expect(await send(example, scene)).toBe(masked(example.answer))
    expect(`${calls.join('\n')}\n`).toBe(asked)
  })

  test('says rightly that its route is refused when a GET reaches it', async () => {
    const opening = openTrips(config.replace(/^ *methods: .*\n/m, ''))
    await expect(opening).rejects.toThrow('flight.method  a GET of the route would do this too')
  })
})
