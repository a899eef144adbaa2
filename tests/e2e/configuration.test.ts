import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { ConfigError } from '../../gateway/config/mistake.ts'
import { startGateway } from '../../gateway/runtimes/bun/start.ts'
import { rawUpstream } from '../support/raw-http.ts'
import { quickestRun } from '../support/real-time.ts'
import { recordTelemetry } from '../support/recorded-telemetry.ts'
import { OK, openScene, SERVICES, simpleConfig } from './scene.ts'

/** Configuration files that must not be served, and what a served one gives. */

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-config-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

/** Starts with a text; the messages of all mistakes when it is refused. Fails when it is served. */
async function mistakesOf(text: string): Promise<string[]> {
  const file = join(folder, 'gateway.yaml')
  await writeFile(file, text)
  try {
    const gateway = await startGateway({ config: file, port: 0, adminPort: 0, log: recordTelemetry().log })
    await gateway.stop()
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    for (const { line, column } of error.mistakes) expect([line > 0, column > 0]).toEqual([true, true])
    return error.message.split('\n')
  }
  throw new Error(`Served: ${text.slice(0, 200)}`)
}

/** A sound file with one part replaced. */
function yaml({ server = '{}', url = 'http://127.0.0.1:9', upstream = '', path = '/*', route = '' } = {}): string {
  return `version: 1
server: ${server}
services: { store: "memory:", broker: "embedded:?file=memory", outbox: "memory:" }
upstreams:
  main: { url: ${JSON.stringify(url)}${upstream} }
routes:
  all: { path: ${JSON.stringify(path)}, upstream: main${route} }
`
}

const bomb = [
  'a: &a [x,x,x,x,x,x,x,x,x]',
  ...'bcdefghi'.split('').map((name, i) => `${name}: &${name} [${Array(9).fill(`*${'abcdefgh'[i]}`).join(',')}]`),
].join('\n')

describe('a file is refused', () => {
  const refused: readonly (readonly [string, string, RegExp])[] = [
    ['with aliases that multiply', `${bomb}\n`, /alias|Unrecognized|unknown|expected/i],
    ['with __proto__ as a key', `${yaml()}__proto__: { polluted: true }\n`, /__proto__/],
    ['with constructor.prototype', `${yaml()}constructor: { prototype: { polluted: true } }\n`, /constructor/],
    ['with a merge key', `x: &x { __proto__: { polluted: true } }\n${yaml()}y: { <<: *x }\n`, /<<|__proto__/],
    ['with a JavaScript tag', `${yaml()}x: !!js/function "function () {}"\n`, /tag/],
    ['with a tag of its own', `${yaml()}x: !foo bar\n`, /tag/],
    ['with bytes', `${yaml()}x: !!binary aGk=\n`, /tag|binary/],
    ['with a key twice', `${yaml()}version: 1\n`, /unique|twice|duplicate/i],
    ['indented with tabs', 'version: 1\nroutes:\n\tall: { path: "/*" }\n', /YAML/],
    ['of two documents', `${yaml()}---\n${yaml()}`, /several documents/],
    ['that is empty', '', /empty/],
    ['of comments alone', '# nothing\n', /empty/],
    ['with a NUL', `${yaml()}# \0\n`, /NUL/],
    ['that is a list', '- a\n- b\n', /mapping/],
    ['that is binary', '\x89PNG\r\n\x1a\n\x01\x02', /YAML|NUL|control|mapping/i],
    ['with an unknown key', yaml({ route: ', timeot: 1s' }), /timeot.*timeout/],
    ['with a number without its unit', yaml({ route: ', timeout: 10' }), /unit/],
    ['with a wrong unit', yaml({ route: ', body: 10parsecs' }), /unit/],
    ['with a negative weight', 'version: 1\nupstreams: { main: { targets: [{ url: "http://127.0.0.1:9", weight: -1 }] } }\nroutes: { all: { path: "/*", upstream: main } }\n', /weight/],
    ['with a port out of range', yaml({ server: '{ port: 70000 }' }), /port/],
    ['with zero trusted hops', yaml({ server: '{ trust: { hops: 0 } }' }), /hops|trust/],
    ['with a network that is none', yaml({ server: '{ trust: { cidrs: [10.0.0.0/40] } }' }), /cidrs|trust/],
    ['with a path without its slash', yaml({ path: 'x' }), /path/],
    ['with a misspelt upstream', yaml().replace('upstream: main', 'upstream: mian'), /mian.*main/],
    ['with a policy nobody knows', yaml({ route: ', policies: [rate-limt: {}]' }), /rate-limt.*rate-limit/],
    ['with two routes for the same requests', `${yaml({ path: '/a/:id' })}  other: { path: "/a/:name", upstream: main }\n`, /same requests/],
    ['with an expression of JavaScript', yaml({ route: ', policies: [{ headers: { request: { set: { x-a: "{process.env.SECRET}" } } } }]' }), /process/],
    ['with an expression of Spring', yaml({ route: ', policies: [{ headers: { request: { set: { x-a: "#{T(java.lang.Runtime)}" } } } }]' }), /T\(java|unknown name/],
    ['with double braces', yaml({ route: ', policies: [{ headers: { request: { set: { x-a: "{{constructor}}" } } } }]' }), /brace|constructor/],
    ['with a variable nobody set', yaml({ url: '$' + '{SLUICE_TEST_UNSET}' }), /SLUICE_TEST_UNSET/],
    ['with a secret file that is not there', yaml({ url: '$' + '{file:/nowhere/secret}' }), /nowhere/],
    ['with all weights zero', 'version: 1\nupstreams: { main: { versions: { a: { targets: ["http://127.0.0.1:9"] } }, policies: [{ gray-release: { subject: [client.ip], weights: { a: 0 } } }] } }\nroutes: { all: { path: "/*", upstream: main } }\n', /weight/],
  ] // biome-ignore format: one file a line
  for (const [name, text, expected] of refused) {
    test(name, async () => {
      const tookMs = await quickestRun(1_000, async () => {
        expect((await mistakesOf(text)).join('\n')).toMatch(expected)
      })
      expect(tookMs).toBeLessThanOrEqual(1_000)
      expect(({} as { polluted?: unknown }).polluted).toBeUndefined()
    })
  }

  test('with every mistake told at once', async () => {
    const mistakes = await mistakesOf(
      yaml({
        server: '{ port: x, limits: { body: 1 } }',
        upstream: ', concurrency: 0',
        route: ', timeot: 1s, methods: [FETCH]',
      }),
    )
    expect(mistakes.length).toBeGreaterThanOrEqual(5)
  })

  for (const url of ['file:///etc/passwd', 'ftp://a.test', 'gopher://a.test', 'a.test', 'http://', 'http://user:pw@a.test', 'http://a.test@b.test', 'http://169.254.169.254', 'http://2130706433', 'http://0x7f.1', 'http://017700000001',
    'http://127.1', 'http://[::ffff:127.0.0.1]', 'http://[::]', 'http://0.0.0.0', 'http://a.test\\@b.test', 'http://a.test#x', 'http://a.test?x', 'http://①②⑦.0.0.1', 'http://ⓔxample.com', 'http://a.test:99999', 'http://a b.test'] /* biome-ignore format: a list */) {
    test(`with an upstream at ${url}`, async () => {
      expect((await mistakesOf(yaml({ url }))).join('\n')).toContain('upstreams.main')
    })
  }

  const vectors = process.env.TEST_VECTORS
  if (vectors) {
    test('with an upstream written so that it hides where it is, in every way of the public list', async () => {
      const lines = (await readFile(`${vectors}/payload-lists/ssrf-urls.txt`, 'utf8'))
        .split('\n')
        .filter((line) => line.trim() !== '')
      expect(lines.length).toBeGreaterThan(50)
      const served: string[] = []
      for (const url of lines)
        await mistakesOf(yaml({ url })).catch((error: Error) =>
          served.push(error.message.startsWith('Served: ') ? url : error.message),
        )
      // Private addresses, written plainly, are where upstreams live; a name says nothing about its address.
      const plain =
        /^https?:\/\/(?:\d{1,3}(?:\.\d{1,3}){3}|[a-z][a-z0-9.-]*|[0-9a-z]+(?:\.[0-9a-z-]+)*\.[a-z]{2,})(?::\d+)?(?:\/[^?#\\@]*)?$/
      expect(served.filter((url) => /169\.254|0\.0\.0\.0|\/0177|%2/.test(url) && !url.includes('127.0.0.1/%'))).toEqual(
        [],
      )
      expect(served.filter((url) => !plain.test(url))).toEqual([])
    })
  }
})

describe('a file is served', () => {
  for (const [name, change] of [
    ['with a byte order mark', (text: string) => `\uFEFF${text}`],
    ['with CRLF line ends', (text: string) => text.replaceAll('\n', '\r\n')],
  ] as const) {
    test(name, async () => {
      const file = join(folder, 'served.yaml')
      await writeFile(file, change(yaml()))
      const gateway = await startGateway({ config: file, port: 0, adminPort: 0, log: recordTelemetry().log })
      await gateway.stop()
    })
  }

  test('with a path that looks like a regular expression, taken to the letter', async () => {
    const scene = await openScene({ config: (upstream) => simpleConfig(upstream, { route: { path: '/(a+)+$' } }) })
    expect((await scene.get('/(a+)+$')).status).toBe(200)
    const tookMs = await quickestRun(250, async () => {
      expect((await scene.get(`/${'a'.repeat(16_000)}!`)).status).toBe(404)
    })
    expect(tookMs).toBeLessThanOrEqual(250)
    await scene.close()
  })

  test('with an admin listener on loopback whose pages about itself only read, and nothing of it on the public one', async () => {
    const scene = await openScene({
      config: (upstream) => ({ ...simpleConfig(upstream), routes: { x: { path: '/x', upstream: 'main' } } }),
    })
    expect(scene.adminUrl).toStartWith('http://127.0.0.1:')
    for (const path of ['/_sluice/health', '/_sluice/ready', '/_sluice/metrics']) {
      expect((await fetch(scene.adminUrl + path)).status).toBe(200)
      expect((await scene.get(path)).status).toBe(404)
      const headers = { 'content-type': 'application/json' }
      for (const method of ['POST', 'PUT', 'DELETE', 'PATCH'])
        expect((await fetch(scene.adminUrl + path, { method, headers, body: '{}' })).status).toBe(404)
    }
    await scene.close()
  })
})

describe('versions side by side', () => {
  test('get the shares they were given, and a version of weight zero nothing', async () => {
    const upstreams = await Promise.all([rawUpstream([OK]), rawUpstream([OK]), rawUpstream([OK])])
    const [stable, canary, idle] = upstreams
    const scene = await openScene({
      config: () => ({
        version: 1,
        services: SERVICES,
        upstreams: {
          main: {
            versions: {
              stable: { targets: [stable.url] },
              canary: { targets: [canary.url] },
              idle: { targets: [idle.url] },
            },
            policies: [
              {
                'gray-release': {
                  subject: ['headers.x-user'],
                  weights: { stable: 90, canary: 10, idle: 0 },
                  rules: [{ when: { 'headers.x-release': 'canary' }, version: 'canary' }],
                  header: 'x-version',
                },
              },
            ],
          },
        },
        routes: { all: { path: '/*', upstream: 'main' } },
      }),
    })
    for (let i = 0; i < 500; i++) await scene.get('/x', `X-User: user-${i}`)
    expect(stable.requests.length + canary.requests.length).toBe(500)
    expect(Math.abs(canary.requests.length - 50)).toBeLessThanOrEqual(25)
    expect(idle.requests.length).toBe(0)
    const versions = new Set<string | undefined>()
    for (let i = 0; i < 200; i++) versions.add((await scene.get('/x', 'X-User: alice')).header('x-version'))
    expect(versions.size).toBe(1)
    expect((await scene.get('/x', 'X-User: alice', 'X-Release: canary')).header('x-version')).toBe('canary')
    expect(scene.records().at(-1)?.calls).toMatchObject([{ version: 'canary' }])
    await scene.close()
    for (const upstream of upstreams) await upstream.close()
  })
})
