import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import { cpuMsOf } from '../measure/cpu.ts'
import { type Lab, withLab } from '../measure/lab.ts'
import { applyLoad } from '../measure/load.ts'
import { answering, nginxIn } from '../measure/nginx.ts'
import { CONTENDER_CORE, freePort, gatewayOn, LOAD_CORE, MANY_CALLS } from '../measure/processes.ts'
import { median, percentile, table } from '../measure/table.ts'
import type { Plan, Section } from '../section.ts'
import { FAN_OUTS, writeConfig } from './pages.ts'
import { compareWrites, describeWrites, writeErrors } from './writes.ts'

const CONNECTIONS = 32
const BODY = '{"number":1,"name":"Enamel mug","price":{"amount":1450,"currency":"EUR"},"tookMs":0}'
const BY_HAND = fileURLToPath(new URL('by-hand.ts', import.meta.url))
const SLOW_UPSTREAM = fileURLToPath(new URL('slow-upstream.ts', import.meta.url))
const STEADY_LOAD = fileURLToPath(new URL('../measure/steady-load.ts', import.meta.url))

interface Contender {
  readonly name: string
  readonly port: number
  readonly pid: number
}

/** The gateway and the same fan-out by hand, both before one upstream. */
async function startContenders(lab: Lab, upstreamPort: number): Promise<Contender[]> {
  const byHand = freePort()
  const byHandPid = await lab.run({
    name: `by-hand-${upstreamPort}`,
    core: CONTENDER_CORE,
    port: byHand,
    command: () => [process.execPath, BY_HAND],
    environment: { ...MANY_CALLS, PORT: String(byHand), UPSTREAM: `http://127.0.0.1:${upstreamPort}` },
  })
  const gateway = freePort()
  const config = writeConfig(lab.folder(`config-${upstreamPort}`), upstreamPort)
  const gatewayPid = await lab.run({
    ...gatewayOn(gateway, config),
    name: `gateway-${upstreamPort}`,
    environment: MANY_CALLS,
  })
  return [
    { name: 'by hand', port: byHand, pid: byHandPid },
    { name: 'gateway', port: gateway, pid: gatewayPid },
  ]
}

interface Cost {
  readonly cpuUs: number
  readonly perSecond: number
  readonly errors: number
}

async function costOf({ port, pid }: Contender, count: number, seconds: number): Promise<Cost> {
  const url = `http://127.0.0.1:${port}/page/${count}`
  const before = cpuMsOf(pid)
  const { requests, durationUs, errors } = await applyLoad({ url, seconds, connections: CONNECTIONS, core: LOAD_CORE })
  return {
    cpuUs: ((cpuMsOf(pid) - before) * 1_000) / requests,
    perSecond: (requests * 1_000_000) / durationUs,
    errors: Object.values(errors).reduce((sum, n) => sum + n, requests === 0 ? 1 : 0),
  }
}

const steady = z.object({ overheadsMs: z.array(z.number()), errors: z.int(), mostWaiting: z.int() })

async function overheadOf(url: string, rate: number, seconds: number): Promise<z.output<typeof steady>> {
  const given = ['--url', url, '--rate', String(rate), '--seconds', String(seconds)]
  const child = Bun.spawn(['taskset', '-c', String(LOAD_CORE), process.execPath, STEADY_LOAD, ...given], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, ...MANY_CALLS },
  })
  const output = await new Response(child.stdout).text()
  if ((await child.exited) !== 0) throw new Error(`The steady load ended with ${child.exitCode}`)
  return steady.parse(JSON.parse(output))
}

/** Processor time of a page under full load, before an upstream that answers at once. */
async function compareCosts({ warmUpSeconds, rounds, seconds }: Plan) {
  return withLab(async (lab) => {
    const upstream = freePort()
    await lab.run({
      name: 'upstream',
      core: LOAD_CORE,
      port: upstream,
      command: (home) => nginxIn(home, answering(upstream, BODY, '{}')),
    })
    const contenders = await startContenders(lab, upstream)
    const rows = FAN_OUTS.flatMap((count) => contenders.map((of) => ({ ...of, count, costs: [] as Cost[] })))
    for (const row of rows) await costOf(row, row.count, warmUpSeconds)
    for (let round = 1; round <= rounds; round++) {
      console.error(`Composition, processor time: round ${round} of ${rounds}`)
      for (const row of rows) row.costs.push(await costOf(row, row.count, seconds))
    }
    return rows
  })
}

type CostRow = Awaited<ReturnType<typeof compareCosts>>[number]

/** What a page takes beyond its slowest part, at half of what the gateway can take, before parts of 5 to 20 ms. */
async function compareOverheads(costs: readonly CostRow[], { warmUpSeconds, seconds }: Plan) {
  return withLab(async (lab) => {
    const upstream = freePort()
    await lab.run({
      name: 'slow-upstream',
      core: LOAD_CORE,
      port: upstream,
      command: () => [process.execPath, SLOW_UPSTREAM],
      environment: { PORT: String(upstream) },
    })
    const contenders = await startContenders(lab, upstream)
    const rows = []
    for (const count of FAN_OUTS) {
      const saturation = costs.find((row) => row.name === 'gateway' && row.count === count)
      const rate = Math.floor(median(saturation?.costs.map(({ perSecond }) => perSecond) ?? []) / 2)
      console.error(`Composition, overhead of ${count} parts at ${rate} pages/s`)
      const direct = { name: 'one part, asked directly', url: `http://127.0.0.1:${upstream}/part/3` }
      const pages = contenders.map(({ name, port }) => ({ name, url: `http://127.0.0.1:${port}/page/${count}` }))
      for (const { name, url } of [direct, ...pages]) {
        await overheadOf(url, rate, warmUpSeconds)
        rows.push({ name, count, rate, ...(await overheadOf(url, rate, seconds * 2)) })
      }
    }
    return rows
  })
}

function describeCosts(rows: readonly CostRow[]): string {
  const head = ['', 'parts', 'pages/s', 'CPU µs/page', 'CPU ÷ by hand', 'errors']
  return table(
    head,
    rows.map(({ name, count, costs }) => {
      const hand = rows.find((row) => row.name === 'by hand' && row.count === count)?.costs ?? costs
      const ratio = median(costs.map(({ cpuUs }, i) => cpuUs / (hand[i]?.cpuUs ?? cpuUs)))
      return [
        name,
        String(count),
        median(costs.map(({ perSecond }) => perSecond)).toFixed(0),
        median(costs.map(({ cpuUs }) => cpuUs)).toFixed(0),
        ratio.toFixed(2),
        String(costs.reduce((sum, { errors }) => sum + errors, 0)),
      ]
    }),
  )
}

function describeOverheads(rows: Awaited<ReturnType<typeof compareOverheads>>): string {
  const head = ['', 'parts', 'pages/s', 'p50 ms', 'p99 ms', 'pages', 'errors']
  return table(
    head,
    rows.map(({ name, count, rate, overheadsMs, errors }) => [
      name,
      String(count),
      String(rate),
      percentile(overheadsMs, 0.5).toFixed(2),
      percentile(overheadsMs, 0.99).toFixed(2),
      String(overheadsMs.length),
      String(errors),
    ]),
  )
}

/** What composing a page costs, beside the same fan-out written by hand. */
export const composition: Section = {
  title: 'A page of several parts',
  tools: ['nginx', 'wrk', 'taskset'],
  async run(plan) {
    const costs = await compareCosts(plan)
    const overheads = await compareOverheads(costs, plan)
    const writes = await compareWrites(plan)
    const text = `Processor time under full load (${CONNECTIONS} kept connections, parts answered at once by nginx):

${describeCosts(costs)}

What a page takes beyond its slowest part, at a steady rate of half of what the gateway can take (parts of 5 to 20 ms):

${describeOverheads(overheads)}

Three writes in order under full load (answered at once by nginx; the journal is SQLite, every note synced):

${describeWrites(writes)}`
    const failed = [...costs.flatMap((row) => row.costs), ...overheads].reduce((sum, { errors }) => sum + errors, 0)
    return { text, isValid: failed + writeErrors(writes) === 0 }
  },
}
