import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import { cpuMsOf } from '../measure/cpu.ts'
import { type Lab, withLab } from '../measure/lab.ts'
import { applyLoad, type Load } from '../measure/load.ts'
import { answeringOrders, nginxIn } from '../measure/nginx.ts'
import { CONTENDER_CORE, freePort, gatewayOn, LOAD_CORE, MANY_CALLS } from '../measure/processes.ts'
import { median, table } from '../measure/table.ts'
import type { Plan } from '../section.ts'

const BY_HAND = fileURLToPath(new URL('writes-by-hand.ts', import.meta.url))
/** Each request has a body, and an Idempotency-Key of its own. */
const ORDERS = fileURLToPath(new URL('../events/orders.lua', import.meta.url))
const CONNECTIONS = [1, 64] as const
const SETTLED_WITHIN_MS = 30_000

/** The routes of the gateway: what the three parts say of themselves, and what that is called in the table. */
const ROUTES = [
  { path: '/not-noted', name: 'gateway, nothing noted', write: { safe: true } },
  { path: '/noted', name: 'gateway, noted, no compensation', write: { compensate: 'none' } },
  {
    path: '/undoable',
    name: 'gateway, noted with compensations',
    write: (part: string) => ({ compensate: { method: 'DELETE', path: `/bookings/{parts.${part}.body.id}` } }),
  },
] as const

interface Contender {
  readonly name: string
  readonly url: string
  readonly pid: number
  /** Resolves when nothing is under way or to be undone any more; false when that does not come. */
  readonly settled: () => Promise<boolean>
}

interface Round {
  readonly load: Load
  readonly cpuUs: number
  readonly isSettled: boolean
}

/** One contender at one number of connections. */
export interface WriteRow {
  readonly contender: Contender
  readonly connections: number
  readonly rounds: Round[]
}

function writeConfig(lab: Lab, upstreamPort: number): string {
  const folder = lab.folder('writes')
  const parts = (write: (typeof ROUTES)[number]['write']) =>
    Object.fromEntries(
      ['part-1', 'part-2', 'part-3'].map((name, i, all) => [
        name,
        {
          upstream: 'bookings',
          method: 'POST',
          path: `/bookings/${i + 1}`,
          body: { items: '{body.items}' },
          required: true,
          ...(i > 0 && { after: [all[i - 1]] }),
          ...(typeof write === 'function' ? write(name) : write),
        },
      ]),
    )
  const routes = ROUTES.map(({ path, write }) => [
    path.slice(1),
    { path, methods: ['POST'], policies: [{ aggregate: { parts: parts(write) } }] },
  ])
  const config = {
    version: 1,
    services: { store: 'memory:', outbox: 'memory:', journal: `sqlite:${join(folder, 'journal.db')}` },
    upstreams: { bookings: { url: `http://127.0.0.1:${upstreamPort}` } },
    routes: Object.fromEntries(routes),
  }
  const file = join(folder, 'gateway.yaml')
  writeFileSync(file, JSON.stringify(config))
  return file
}

async function startContenders(lab: Lab): Promise<Contender[]> {
  const upstream = freePort()
  await lab.run({
    name: 'bookings',
    core: LOAD_CORE,
    port: upstream,
    command: (home) => nginxIn(home, answeringOrders(upstream)),
  })
  const byHand = freePort()
  const byHandPid = await lab.run({
    name: 'writes-by-hand',
    core: CONTENDER_CORE,
    port: byHand,
    command: () => [process.execPath, BY_HAND],
    environment: { ...MANY_CALLS, PORT: String(byHand), UPSTREAM: `http://127.0.0.1:${upstream}` },
  })
  const [port, admin] = [freePort(), freePort()]
  const pid = await lab.run({ ...gatewayOn(port, writeConfig(lab, upstream), admin), environment: MANY_CALLS })
  const settled = () => untilSettled(admin)
  return [
    {
      name: 'by hand, one fetch after the other',
      url: `http://127.0.0.1:${byHand}/`,
      pid: byHandPid,
      settled: async () => true,
    },
    ...ROUTES.map(({ name, path }) => ({ name, url: `http://127.0.0.1:${port}${path}`, pid, settled })),
  ]
}

const page = z.record(z.enum(['part-1', 'part-2', 'part-3']), z.object({ id: z.string().min(1) }))

/** Throws for one that does not make the three writes and answer with them. */
async function assertBooks({ name, url }: Contender): Promise<void> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'idempotency-key': `"${crypto.randomUUID()}"` },
    body: '{"items":[]}',
  })
  const text = await response.text()
  const answer = page.safeParse(JSON.parse(text))
  if (response.status !== 200 || !answer.success) throw new Error(`${name} answers ${response.status}: ${text}`)
}

const journal = z.object({ counts: z.object({ open: z.int(), undoing: z.int(), parked: z.int() }) })

/** Requests that wrk cuts off in the end are undone. */
async function untilSettled(adminPort: number): Promise<boolean> {
  const giveUpAt = performance.now() + SETTLED_WITHIN_MS
  while (performance.now() < giveUpAt) {
    const response = await fetch(`http://127.0.0.1:${adminPort}/_sluice/compensations?limit=1`)
    const { open, undoing, parked } = journal.parse(await response.json()).counts
    if (parked > 0) return false
    if (open + undoing === 0) return true
    await Bun.sleep(50)
  }
  return false
}

async function measure({ contender, connections }: WriteRow, seconds: number): Promise<Round> {
  const { url, pid, settled } = contender
  const before = cpuMsOf(pid)
  const load = await applyLoad({ url, seconds, connections, core: LOAD_CORE, script: ORDERS })
  const cpuUs = ((cpuMsOf(pid) - before) * 1_000) / load.requests
  return { load, cpuUs, isSettled: await settled() }
}

/** What three writes in order cost: by hand, through the gateway, and with what it takes to undo them. */
export function compareWrites({ warmUpSeconds, rounds, seconds }: Plan): Promise<WriteRow[]> {
  return withLab(async (lab) => {
    const contenders = await startContenders(lab)
    const rows: WriteRow[] = CONNECTIONS.flatMap((connections) =>
      contenders.map((contender) => ({ contender, connections, rounds: [] })),
    )
    for (const contender of contenders) await assertBooks(contender)
    for (const row of rows) await measure(row, warmUpSeconds)
    for (let round = 1; round <= rounds; round++) {
      console.error(`Composition, writes: round ${round} of ${rounds}`)
      for (const row of rows) row.rounds.push(await measure(row, seconds))
    }
    return rows
  })
}

export function describeWrites(rows: readonly WriteRow[]): string {
  const of = ({ rounds }: WriteRow, read: (round: Round) => number) => median(rounds.map(read))
  return table(
    ['', 'connections', 'pages/s', 'p50 ms', 'p99 ms', 'CPU µs/page', 'errors'],
    rows.map((row) => [
      row.contender.name,
      String(row.connections),
      of(row, ({ load }) => (load.requests * 1_000_000) / load.durationUs).toFixed(0),
      of(row, ({ load }) => load.p50Us / 1_000).toFixed(2),
      of(row, ({ load }) => load.p99Us / 1_000).toFixed(2),
      of(row, ({ cpuUs }) => cpuUs).toFixed(0),
      String(writeErrors([row])),
    ]),
  )
}

/** Requests that failed, and rounds after which something was left in the journal. */
export function writeErrors(rows: readonly WriteRow[]): number {
  const rounds = rows.flatMap((row) => row.rounds)
  const failed = rounds.flatMap(({ load }) => Object.values(load.errors)).reduce((sum, count) => sum + count, 0)
  return failed + rounds.filter(({ load, isSettled }) => !isSettled || load.requests === 0).length
}
