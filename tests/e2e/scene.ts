import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startGateway } from '../../gateway/runtimes/bun/start.ts'
import {
  type RawReply,
  type RawRequestOptions,
  type RawScript,
  type RawUpstream,
  rawRequest,
  rawUpstream,
} from '../support/raw-http.ts'
import type { RawUpstreamOptions } from '../support/raw-upstream.ts'
import { until } from '../support/real-time.ts'
import { recordTelemetry } from '../support/recorded-telemetry.ts'

/** `HTTP/1.1 200 OK` with a body and its length. */
export const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'

export interface SceneOptions extends RawUpstreamOptions {
  /** What the upstream answers; `OK` by default. */
  readonly answer?: RawScript
  /** A whole configuration, given the upstream's address; one route for everything by default. */
  readonly config?: (upstream: string) => unknown
}

/** A gateway on Bun between a client and an upstream of bare sockets. */
export interface Scene {
  readonly port: number
  readonly url: string
  readonly adminUrl: string
  readonly upstream: RawUpstream
  /** The configuration file it watches. */
  readonly file: string
  /** Every log line so far. */
  readonly lines: ReturnType<typeof recordTelemetry>['lines']
  /** The facts of every access log line so far. */
  records(): readonly Readonly<Record<string, unknown>>[]
  /** Sends bytes and reads the replies. */
  send(input: Parameters<typeof rawRequest>[1], options?: RawRequestOptions): Promise<RawReply[]>
  /** Sends `GET target` with a Host and some more lines, and returns the one reply. */
  get(target: string, ...lines: readonly string[]): Promise<RawReply>
  /** The requests that the gateway has taken and not ended. */
  inFlight(): Promise<number>
  /** Waits until no request is in flight; what every test ends with. */
  settled(): Promise<void>
  close(): Promise<void>
}

/** A configuration without anything that outlives the test. */
export const SERVICES = { store: 'memory:', broker: 'embedded:?file=memory', outbox: 'memory:' }

/** The one-route configuration, with some keys of the server, the upstream and the route changed. */
export function simpleConfig(
  upstream: string,
  { server = {}, settings = {}, route = {} }: Partial<Record<'server' | 'settings' | 'route', object>> = {},
) {
  return {
    version: 1,
    server,
    services: SERVICES,
    upstreams: { main: { url: upstream, ...settings } },
    routes: { all: { path: '/*', upstream: 'main', ...route } },
  }
}

/** Starts both; close it when the tests are done. */
export async function openScene({
  answer = [OK],
  config = simpleConfig,
  ...options
}: SceneOptions = {}): Promise<Scene> {
  const upstream = await rawUpstream(answer, options)
  const folder = await mkdtemp(join(tmpdir(), 'sluice-e2e-'))
  const file = join(folder, 'gateway.yaml')
  await writeFile(file, JSON.stringify(config(upstream.url)))
  const telemetry = recordTelemetry()
  const gateway = await startGateway({ config: file, port: 0, adminPort: 0, log: telemetry.log })
  const port = Number(new URL(gateway.url).port)
  const send: Scene['send'] = (input, given) => rawRequest(port, input, given)
  async function inFlight(): Promise<number> {
    const text = await (await fetch(`${gateway.adminUrl}/_sluice/metrics`)).text()
    return Number(/^sluice_requests_in_flight(?:\{[^}]*\})? (\d+)$/m.exec(text)?.[1])
  }
  return {
    port,
    url: gateway.url,
    adminUrl: gateway.adminUrl,
    upstream,
    file,
    lines: telemetry.lines,
    records: () => telemetry.lines.filter(({ message }) => message === 'request').map(({ facts }) => facts),
    send,
    async get(target, ...lines) {
      const [reply] = await send([`GET ${target} HTTP/1.1`, 'Host: shop.test', ...lines, '', ''].join('\r\n'))
      if (!reply) throw new Error(`No reply to GET ${target}`)
      return reply
    },
    inFlight,
    settled: () => until('no request in flight', async () => (await inFlight()) === 0),
    async close() {
      await gateway.stop()
      await upstream.close()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** `code` of a problem the gateway answered with; undefined when the body is none. */
export function problemCode(reply: RawReply | undefined): string | undefined {
  if (reply?.header('content-type') !== 'application/problem+json') return undefined
  const { type } = JSON.parse(reply.text()) as { readonly type: string }
  return type.replace('urn:sluice:problem:', '')
}
