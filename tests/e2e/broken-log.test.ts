import { expect, test } from 'bun:test'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startGateway } from '../../gateway/runtimes/bun/start.ts'
import { until } from '../support/real-time.ts'

const BREAKER = { 'circuit-breaker': { 'minimum-calls': 1 } }

test('a gateway whose log throws opens circuits, answers, and stops when it is told to', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-broken-log-'))
  const config = join(folder, 'gateway.yaml')
  const upstream = Bun.serve({ hostname: '127.0.0.1', port: 0, fetch: () => new Response('no', { status: 501 }) })
  const upstreams = { u: { url: upstream.url.origin, policies: [BREAKER] } }
  writeFileSync(config, JSON.stringify({ version: 1, upstreams, routes: { r: { path: '/x', upstream: 'u' } } }))
  const broken = () => {
    throw new Error('the disk is full')
  }
  const log = { info: broken, warn: broken, error: broken }
  const gateway = await startGateway({ config, port: 0, adminPort: 0, log })
  try {
    const statuses: number[] = []
    for (const path of ['/x', '/x', '/none']) statuses.push((await fetch(gateway.url + path)).status)
    expect(statuses).toEqual([501, 503, 404])
    const metrics = async () => (await fetch(`${gateway.adminUrl}/_sluice/metrics`)).text()
    // A client may have its answer a moment before the gateway is done with it.
    await until('no request in flight', async () => (await metrics()).includes('sluice_requests_in_flight 0'))
    const counted = await metrics()
    expect(counted).toContain('sluice_breaker_state{breaker="u"} 2')
    // One for each request, and one for the circuit.
    expect(counted).toContain('sluice_log_lines_lost_total 4')
  } finally {
    await gateway.stop()
    await upstream.stop(true)
    rmSync(folder, { recursive: true })
  }
})
