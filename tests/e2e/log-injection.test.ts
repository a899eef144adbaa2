import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startPrograms } from '../support/program.ts'
import { type RawUpstream, rawRequest, rawUpstream } from '../support/raw-http.ts'
import { until } from '../support/real-time.ts'
import { OK, simpleConfig } from './scene.ts'

/** What clients send to forge lines of the log, or to steer the terminal of who reads it. */

interface Hostile {
  readonly name: string
  readonly userAgent?: string
  readonly target?: string
  readonly requestId?: string
  /** A request that Bun refuses by itself has no line; what is refused by the gateway has one. */
  readonly status: number
}

const FORGED = '{"level":"error","message":"forged"}'
const HOSTILE: readonly Hostile[] = [
  { name: 'a line break', userAgent: `a\r\n${FORGED}`, status: 400 },
  { name: 'a bare CR', userAgent: `a\r${FORGED}`, status: 400 },
  { name: 'a bare LF', userAgent: `a\n${FORGED}`, status: 400 },
  { name: 'a line break in the path', target: `/a%0d%0a${encodeURIComponent(FORGED)}`, status: 400 },
  { name: 'the end of a string', userAgent: `a","level":"error`, status: 200 },
  { name: 'an ANSI escape', userAgent: '\u001b[31mred', status: 400 },
  { name: 'an ANSI escape in the path', target: '/a%1b%5b31m', status: 400 },
  { name: 'an ANSI escape as one byte', userAgent: 'a\u009b31mred\u0085\u007f', status: 200 },
  { name: 'an ANSI escape as a request id', requestId: 'a\u009b31mred', status: 200 },
  { name: 'bytes that are no UTF-8', userAgent: '\u00ff\u00fe\u00c3(', status: 200 },
  { name: 'bytes that are no UTF-8 in the path', target: '/a%ff%fe', status: 400 },
  { name: 'a line separator in UTF-8', userAgent: `\u00e2\u0080\u00a8${FORGED}`, status: 200 },
  { name: 'a user agent of 20,000 characters', userAgent: 'x'.repeat(20_000), status: 200 },
  { name: 'a user agent of 1 MB', userAgent: 'x'.repeat(1_000_000), status: 431 },
]

let folder: string
let upstream: RawUpstream
const programs = startPrograms(() => folder)

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-log-'))
  upstream = await rawUpstream([OK])
})
afterAll(async () => {
  programs.endAll()
  await upstream.close()
  await rm(folder, { recursive: true, force: true })
})

describe('the log of a gateway (OPS-01)', () => {
  test('has one line of plain JSON for each request, whatever clients send, and none of theirs', async () => {
    const config = join(folder, 'gateway.yaml')
    await writeFile(config, JSON.stringify(simpleConfig(upstream.url)))
    const program = programs.run(['start', '--config', config, '--port', '0', '--admin-port', '0'])
    const port = await program.port()
    const statuses: (readonly [string, number | undefined])[] = []
    for (const { name, userAgent = 'plain', target = '/x', requestId = 'plain' } of HOSTILE) {
      const fields = [`User-Agent: ${userAgent}`, `X-Request-Id: ${requestId}`, 'Connection: close']
      const [reply] = await rawRequest(port, `GET ${target} HTTP/1.1\r\nHost: a\r\n${fields.join('\r\n')}\r\n\r\n`)
      statuses.push([name, reply?.status])
    }
    expect(statuses).toEqual(HOSTILE.map(({ name, status }) => [name, status]))
    expect((await rawRequest(port, 'GET /last HTTP/1.1\r\nHost: a\r\n\r\n'))[0]?.status).toBe(200)
    await until('the last line', () => program.output.includes('"path":"/last"'))

    // Other readers of lines end them at more than LF; of these there is none.
    expect(program.output).toMatch(/^[\n -~\u00a0-\u00ff…]+$/)
    const lines = program.output.trimEnd().split('\n')
    const requests = lines.map((line) => JSON.parse(line)).filter(({ message }) => message === 'request')
    // Seven that were served, three paths that were refused, and the last one.
    expect(requests.map(({ status }) => status).sort()).toEqual([...Array(7).fill(200), 400, 400, 400])
    for (const { level, userAgent } of requests) {
      expect(level).toBe('info')
      expect(userAgent.length).toBeLessThanOrEqual(257)
    }
    expect(lines.every((line) => line.length < 1_000)).toBe(true)
    expect(lines.filter((line) => line.startsWith(FORGED))).toEqual([])
    expect(program.output).not.toContain('"message":"forged"')
  }, 30_000)
})
