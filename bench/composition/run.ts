import { cpuMsOf } from '../measure/cpu.ts'
import { withLab } from '../measure/lab.ts'
import { applyLoad } from '../measure/load.ts'
import { answering, nginxIn } from '../measure/nginx.ts'
import { freePort, LOAD_CORE } from '../measure/processes.ts'
import { median, table } from '../measure/table.ts'
import type { Plan, Section } from '../section.ts'
import { type Contender, startContenders } from './contenders.ts'
import { compareOverheads, describeOverheads } from './overheads.ts'
import { FAN_OUTS } from './pages.ts'
import { compareWrites, describeWrites, writeErrors } from './writes.ts'

/** Clients that never pause: many, and so few that Bun's `fetch`, which keeps 64 connections, can keep all of its. */
const CLIENTS: Readonly<Record<(typeof FAN_OUTS)[number], readonly number[]>> = { 4: [8, 32], 20: [3, 32] }
const BODY = '{"number":1,"name":"Enamel mug","price":{"amount":1450,"currency":"EUR"},"tookMs":0}'

interface Cost {
  readonly cpuUs: number
  readonly perSecond: number
  readonly errors: number
}

interface UnderLoad extends Contender {
  readonly count: number
  readonly clients: number
}

async function costOf({ port, pid, count, clients: connections }: UnderLoad, seconds: number): Promise<Cost> {
  const url = `http://127.0.0.1:${port}/page/${count}`
  const before = cpuMsOf(pid)
  const { requests, durationUs, errors } = await applyLoad({ url, seconds, connections, core: LOAD_CORE })
  return {
    cpuUs: ((cpuMsOf(pid) - before) * 1_000) / requests,
    perSecond: (requests * 1_000_000) / durationUs,
    errors: Object.values(errors).reduce((sum, n) => sum + n, requests === 0 ? 1 : 0),
  }
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
    const loads = FAN_OUTS.flatMap((count) => CLIENTS[count].map((clients) => ({ count, clients })))
    const rows = loads.flatMap((load) => contenders.map((of) => ({ ...of, ...load, costs: [] as Cost[] })))
    for (const row of rows) await costOf(row, warmUpSeconds)
    for (let round = 1; round <= rounds; round++) {
      console.error(`Composition, processor time: round ${round} of ${rounds}`)
      for (const row of rows) row.costs.push(await costOf(row, seconds))
    }
    return rows
  })
}

type CostRow = Awaited<ReturnType<typeof compareCosts>>[number]

function describeCosts(rows: readonly CostRow[]): string {
  const head = ['', 'parts', 'clients', 'pages/s', 'CPU µs/page', 'CPU ÷ by hand', 'errors']
  return table(
    head,
    rows.map(({ name, count, clients, costs }) => {
      const isSame = (row: CostRow) => row.name === 'by hand' && row.count === count && row.clients === clients
      const hand = rows.find(isSame)?.costs ?? costs
      const ratio = median(costs.map(({ cpuUs }, i) => cpuUs / (hand[i]?.cpuUs ?? cpuUs)))
      return [
        name,
        String(count),
        String(clients),
        median(costs.map(({ perSecond }) => perSecond)).toFixed(0),
        median(costs.map(({ cpuUs }) => cpuUs)).toFixed(0),
        ratio.toFixed(2),
        String(costs.reduce((sum, { errors }) => sum + errors, 0)),
      ]
    }),
  )
}

/** What composing a page costs, beside the same fan-out written by hand. */
export const composition: Section = {
  title: 'A page of several parts',
  tools: ['nginx', 'wrk', 'taskset'],
  async run(plan) {
    const costs = await compareCosts(plan)
    const overheads = await compareOverheads(plan)
    const writes = await compareWrites(plan)
    const text = `Processor time under full load (kept connections that never pause, parts answered at once by nginx):

${describeCosts(costs)}

What a page takes beyond its slowest part, at a steady rate, a share of what each can take (parts of 5 to 20 ms):

${describeOverheads(overheads)}

Three writes in order under full load (answered at once by nginx; the journal is SQLite, every note synced):

${describeWrites(writes)}`
    const failed = [...costs.flatMap((row) => row.costs), ...overheads].reduce((sum, { errors }) => sum + errors, 0)
    return { text, isValid: failed + writeErrors(writes) === 0 }
  },
}
