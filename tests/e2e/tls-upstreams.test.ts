import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Authority, type Identity, openAuthority } from '../support/authority.ts'
import { type Program, startPrograms } from '../support/program.ts'
import { until } from '../support/real-time.ts'
import { SERVICES } from './scene.ts'

/** Upstreams behind TLS, as a gateway sees them that is told of an authority of its operator's own. */

interface Upstream {
  readonly url: string
  readonly requests: string[]
  close(): void
}

function serve(identity: Identity | undefined): Upstream {
  const requests: string[] = []
  const server = Bun.serve({
    port: 0,
    ...(identity && { tls: identity }),
    fetch(request) {
      requests.push(`${request.method} ${new URL(request.url).pathname}`)
      return Response.json({ ok: true })
    },
  })
  return { url: `https://localhost:${server.port}`, requests, close: () => void server.stop(true) }
}

/** What each certificate is refused for; the name of the upstream is that of the case. */
const REFUSED = {
  'self-signed': 'DEPTH_ZERO_SELF_SIGNED_CERT',
  stranger: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'other-name': 'ERR_TLS_CERT_ALTNAME_INVALID',
  expired: 'CERT_HAS_EXPIRED',
} as const

const authorities: Authority[] = []
const upstreams: Record<string, Upstream> = {}
let folder = ''
let gateway: Program
let base = ''
const programs = startPrograms(() => folder)

beforeAll(async () => {
  const [ours, strange] = [await openAuthority(), await openAuthority()]
  authorities.push(ours, strange)
  upstreams.trusted = serve(await ours.issue())
  upstreams['self-signed'] = serve(await ours.issueSelfSigned())
  upstreams.stranger = serve(await strange.issue())
  upstreams['other-name'] = serve(await ours.issue({ names: ['elsewhere.test'] }))
  upstreams.expired = serve(await ours.issue({ until: '20200201000000Z' }))
  upstreams.plain = serve(undefined)
  folder = await mkdtemp(join(tmpdir(), 'sluice-tls-'))
  const config = {
    version: 1,
    services: { ...SERVICES, journal: 'memory:' },
    upstreams: Object.fromEntries(Object.entries(upstreams).map(([name, { url }]) => [name, { url }])),
    routes: {
      ...Object.fromEntries(Object.keys(upstreams).map((name) => [name, { path: `/${name}`, upstream: name }])),
      book: {
        path: '/book',
        methods: ['POST'],
        policies: [
          {
            aggregate: {
              parts: {
                first: { upstream: 'trusted', method: 'POST', path: '/first', compensate: { path: '/first/undo' } },
                second: {
                  ...{ upstream: 'stranger', method: 'POST', path: '/second', after: ['first'], required: true },
                  compensate: { path: '/second/undo' },
                },
              },
            },
          },
        ],
      },
    },
  }
  await writeFile(join(folder, 'gateway.yaml'), JSON.stringify(config))
  gateway = programs.run(['start', '--config', 'gateway.yaml', '--port', '0', '--admin-port', '0'], {
    NODE_EXTRA_CA_CERTS: ours.file,
  })
  base = `http://127.0.0.1:${await gateway.port()}`
})

afterAll(async () => {
  programs.endAll()
  for (const { close } of Object.values(upstreams)) close()
  for (const authority of authorities) await authority.close()
  await rm(folder, { recursive: true, force: true })
})

/** The log line of a request, by its id. */
async function lineOf(id: string): Promise<Record<string, unknown>> {
  const found = () => gateway.output.split('\n').find((line) => line.includes('"request"') && line.includes(`"${id}"`))
  await until(`the log line of ${id}`, () => found() !== undefined)
  return JSON.parse(found() ?? '') as Record<string, unknown>
}

async function post(path: string) {
  const response = await fetch(base + path, { method: 'POST', body: '{}', headers: { 'idempotency-key': 'once' } })
  const id = response.headers.get('x-request-id') ?? ''
  return { status: response.status, body: (await response.json()) as Record<string, unknown>, line: await lineOf(id) }
}

describe('an upstream behind TLS', () => {
  test('is reached when its certificate is issued by an authority the gateway is told of', async () => {
    const { status, body } = await post('/trusted')
    expect([status, body]).toEqual([200, { ok: true }])
    expect(upstreams.trusted?.requests).toContain('POST /trusted')
  })

  test.each(Object.entries(REFUSED))(
    'with a certificate that is %s is sent nothing, and the log says so',
    async (name, cause) => {
      const { status, body, line } = await post(`/${name}`)
      expect([status, body.type]).toEqual([502, 'urn:sluice:problem:upstream-unreachable'])
      expect(line.calls).toMatchObject([{ upstream: name, cause, attempts: 1, unsent: 1 }])
      expect(upstreams[name]?.requests).toEqual([])
    },
  )

  test('that speaks no TLS is unreachable', async () => {
    const { status, line } = await post('/plain')
    expect([status, upstreams.plain?.requests]).toEqual([502, []])
    expect(line.calls).toMatchObject([{ failure: 'upstream-unreachable' }])
  })

  test('is believed whatever it shows when the environment says so, and the log warns', async () => {
    const options = ['start', '--config', 'gateway.yaml', '--port', '0', '--admin-port', '0']
    const careless = programs.run(options, { NODE_TLS_REJECT_UNAUTHORIZED: '0' })
    const response = await fetch(`http://127.0.0.1:${await careless.port()}/expired`)
    expect([response.status, await response.json()]).toEqual([200, { ok: true }])
    const warning = '"message":"certificates of upstreams are not checked","because":"NODE_TLS_REJECT_UNAUTHORIZED=0"'
    expect([careless.output.includes(warning), gateway.output.includes(warning)]).toEqual([true, false])
  })

  test('whose certificate is refused has not done a write, so that nothing but the writes before it is undone', async () => {
    const { status, body } = await post('/book')
    expect(status).toBe(502)
    expect(body.writes).toMatchObject([
      { part: 'first', outcome: 'undone' },
      { part: 'second', outcome: 'not-done' },
    ])
    expect(upstreams.trusted?.requests).toContain('POST /first/undo')
  })
})
