import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { type Contender, LOAD_CORE, startContenders } from './contenders.ts'
import { cpuMsOf } from './cpu.ts'
import { applyLoad } from './load.ts'
import { describeMachine, missingParts } from './machine.ts'
import type { RunningProcess } from './processes.ts'
import { isValid, type Measurement, report } from './report.ts'

/** How long a run takes. Each contender is warmed up once, long enough for the compiler of Bun to have settled. */
const FULL = { warmUpSeconds: 8, rounds: 3, seconds: 5 }
const QUICK = { warmUpSeconds: 1, rounds: 1, seconds: 2 }
const CONNECTIONS = 64

async function measure({ url, tokens, pid }: Contender, seconds: number): Promise<Measurement> {
  const before = cpuMsOf(pid)
  const load = await applyLoad({ url, seconds, connections: CONNECTIONS, core: LOAD_CORE, tokens })
  return { load, cpuMs: cpuMsOf(pid) - before }
}

/** Rounds take every contender in turn, so that a slow spell of the machine falls on all of them. */
async function compete(contenders: readonly Contender[], { warmUpSeconds, rounds, seconds }: typeof FULL) {
  const rows = contenders.map((contender) => ({ name: contender.name, contender, rounds: [] as Measurement[] }))
  for (const { contender } of rows) await measure(contender, warmUpSeconds)
  for (let round = 1; round <= rounds; round++) {
    console.error(`Round ${round} of ${rounds}`)
    for (const row of rows) row.rounds.push(await measure(row.contender, seconds))
  }
  return rows
}

async function run(plan: typeof FULL): Promise<number> {
  const directory = mkdtempSync(join(tmpdir(), 'sluice-bench-'))
  const running: RunningProcess[] = []
  const cleanUp = async () => {
    await Promise.all(running.splice(0).map((one) => one.stop()))
    rmSync(directory, { recursive: true, force: true })
  }
  const interrupted = () => void cleanUp().finally(() => process.exit(130))
  process.once('SIGINT', interrupted).once('SIGTERM', interrupted)
  try {
    const rows = await compete(await startContenders(directory, running), plan)
    console.log([...describeMachine(), describeMethod(plan), '', report(rows)].join('\n'))
    return rows.every(isValid) ? 0 : 1
  } finally {
    await cleanUp()
  }
}

function describeMethod({ rounds, seconds }: typeof FULL): string {
  return [
    `${CONNECTIONS} kept connections, ${rounds} × ${seconds} s a row, medians`,
    'contender on one core, wrk and the upstream on another',
    'access log: gateway on (to /dev/null), nginx off',
  ].join('; ')
}

const { values } = parseArgs({ options: { quick: { type: 'boolean', default: false } } })
const missing = missingParts()
if (missing.length > 0) {
  console.error(['The benchmark cannot run here:', ...missing].join('\n  '))
  process.exit(1)
}
try {
  process.exit(await run(values.quick ? QUICK : FULL))
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error))
  process.exit(1)
}
