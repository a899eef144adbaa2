import { cpuMsOf } from '../measure/cpu.ts'
import { withLab } from '../measure/lab.ts'
import { applyLoad } from '../measure/load.ts'
import { LOAD_CORE } from '../measure/processes.ts'
import type { Plan, Section } from '../section.ts'
import { type Contender, startContenders } from './contenders.ts'
import { isValid, type Measurement, report } from './report.ts'

const CONNECTIONS = 64

async function measure({ url, tokens, pid }: Contender, seconds: number): Promise<Measurement> {
  const before = cpuMsOf(pid)
  const load = await applyLoad({
    url,
    seconds,
    connections: CONNECTIONS,
    core: LOAD_CORE,
    parameters: tokens === undefined ? [] : [tokens],
  })
  return { load, cpuMs: cpuMsOf(pid) - before }
}

/** Rounds take every contender in turn, so that a slow spell of the machine falls on all of them. */
async function compete(contenders: readonly Contender[], { warmUpSeconds, rounds, seconds }: Plan) {
  const rows = contenders.map((contender) => ({ name: contender.name, contender, rounds: [] as Measurement[] }))
  for (const { contender } of rows) await measure(contender, warmUpSeconds)
  for (let round = 1; round <= rounds; round++) {
    console.error(`Proxy: round ${round} of ${rounds}`)
    for (const row of rows) row.rounds.push(await measure(row.contender, seconds))
  }
  return rows
}

/** What a request through the gateway costs, beside nginx and a bare proxy on Bun. */
export const proxy: Section = {
  title: 'A request through the gateway',
  tools: ['nginx', 'wrk', 'taskset'],
  async run(plan) {
    const rows = await withLab(async (lab) => compete(await startContenders(lab), plan))
    const method = `${CONNECTIONS} kept connections, ${plan.rounds} × ${plan.seconds} s a row, medians; contender on one core, wrk and the upstream on another; access log: gateway on (to /dev/null), nginx off`
    return { text: `${method}\n\n${report(rows)}`, isValid: rows.every(isValid) }
  },
}
