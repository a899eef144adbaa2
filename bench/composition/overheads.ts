import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import { type Lab, withLab } from '../measure/lab.ts'
import { applyLoad } from '../measure/load.ts'
import { freePort, LOAD_CORE, MANY_CALLS } from '../measure/processes.ts'
import { percentile, table } from '../measure/table.ts'
import type { Plan } from '../section.ts'
import { startContenders } from './contenders.ts'
import { FAN_OUTS } from './pages.ts'

const SLOW_UPSTREAM = fileURLToPath(new URL('slow-upstream.ts', import.meta.url))
const STEADY_LOAD = fileURLToPath(new URL('../measure/steady-load.ts', import.meta.url))

/** Enough to keep a contender busy although a part takes 20 ms. */
const SATURATING_CALLS = 800

/** Of what a contender can take, how much it is asked for. The last is the load a gateway ought to run at. */
const SHARES = [0.1, 0.25, 0.5]

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

/** Pages a second that a contender answers when it is asked for more than it can take. */
async function saturationOf(url: string, count: number, seconds: number): Promise<number> {
  const load = { url, seconds, connections: SATURATING_CALLS / count, core: LOAD_CORE }
  const { requests, durationUs, errors } = await applyLoad(load)
  if (Object.keys(errors).length > 0) throw new Error(`${url} fails under load: ${JSON.stringify(errors)}`)
  return (requests * 1_000_000) / durationUs
}

/** What a page takes beyond its slowest part, at shares of what each contender can take, before parts of 5 to 20 ms. */
export async function compareOverheads({ warmUpSeconds, seconds }: Plan) {
  return withLab(async (lab: Lab) => {
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
      let rate = 0
      for (const { name, port } of contenders) {
        const url = `http://127.0.0.1:${port}/page/${count}`
        await saturationOf(url, count, warmUpSeconds)
        const most = await saturationOf(url, count, seconds)
        for (const share of SHARES) {
          rate = Math.floor(most * share)
          console.error(`Composition, overhead of ${count} parts ${name}, at ${rate} pages/s`)
          await overheadOf(url, rate, warmUpSeconds)
          rows.push({ name, count, share, rate, ...(await overheadOf(url, rate, seconds * 2)) })
        }
      }
      const direct = { name: 'one part, asked directly', url: `http://127.0.0.1:${upstream}/part/3` }
      rows.push({
        name: direct.name,
        count,
        share: undefined,
        rate,
        ...(await overheadOf(direct.url, rate, seconds * 2)),
      })
    }
    return rows
  })
}

export function describeOverheads(rows: Awaited<ReturnType<typeof compareOverheads>>): string {
  const head = ['', 'parts', 'of its most', 'pages/s', 'p50 ms', 'p99 ms', 'pages', 'errors']
  return table(
    head,
    rows.map(({ name, count, share, rate, overheadsMs, errors }) => [
      name,
      String(count),
      share === undefined ? '' : `${share * 100} %`,
      String(rate),
      percentile(overheadsMs, 0.5).toFixed(2),
      percentile(overheadsMs, 0.99).toFixed(2),
      String(overheadsMs.length),
      String(errors),
    ]),
  )
}
