import { fileURLToPath } from 'node:url'
import { cpuMsOf } from '../measure/cpu.ts'
import { type Lab, withLab } from '../measure/lab.ts'
import { applyLoad, type Load } from '../measure/load.ts'
import { LOAD_CORE } from '../measure/processes.ts'
import { median, table } from '../measure/table.ts'
import type { Plan, Section } from '../section.ts'
import { type Scene, setScene } from './scene.ts'

const ORDERS = fileURLToPath(new URL('orders.lua', import.meta.url))
const CONNECTIONS = [1, 64] as const
const ROUTES = ['plain', 'announced'] as const
const BACKLOG = { full: 20_000, quick: 2_000 }
const DRAIN_WITHIN_MS = 120_000

interface OrderRow {
  readonly route: (typeof ROUTES)[number]
  readonly connections: number
  readonly rounds: { readonly load: Load; readonly cpuUs: number }[]
}

function placeOrders(url: string, connections: number, seconds: number): Promise<Load> {
  return applyLoad({ url, seconds, connections, core: LOAD_CORE, script: ORDERS })
}

/** What an order costs with and without its event. Also says whether every event arrived. */
async function measureOrders(scene: Scene, { warmUpSeconds, rounds, seconds }: Plan) {
  const gateway = await scene.gateway('orders', 'up')
  const rows: OrderRow[] = CONNECTIONS.flatMap((connections) =>
    ROUTES.map((route) => ({ route, connections, rounds: [] })),
  )
  let announced = 0
  const measure = async ({ route, connections }: OrderRow, forSeconds: number) => {
    const before = cpuMsOf(gateway.pid)
    const load = await placeOrders(`${gateway.url}/${route}`, connections, forSeconds)
    if (route === 'announced') announced += load.requests
    await untilDrained(gateway.pending)
    return { load, cpuUs: ((cpuMsOf(gateway.pid) - before) * 1_000) / load.requests }
  }
  for (const row of rows) await measure(row, warmUpSeconds)
  for (let round = 1; round <= rounds; round++) {
    console.error(`Events, orders: round ${round} of ${rounds}`)
    for (const row of rows) row.rounds.push(await measure(row, seconds))
  }
  await gateway.stop()
  // wrk does not count the requests it cuts off in the end, which have events all the same.
  const delivered = await scene.delivered()
  await scene.purge()
  return { rows, announced, delivered }
}

/** Waits on the figures of the gateway, which it brings up to date every second. */
async function untilDrained(pending: () => Promise<number>): Promise<void> {
  const giveUpAt = performance.now() + DRAIN_WITHIN_MS
  // Twice in a row, since the first may be a figure from before.
  for (let empty = 0; empty < 2; ) {
    empty = (await pending()) === 0 ? empty + 1 : 0
    if (performance.now() > giveUpAt) throw new Error(`The outbox is not empty after ${DRAIN_WITHIN_MS} ms`)
    await Bun.sleep(1_100)
  }
}

/** How fast a backlog goes out: orders placed while the broker was away, then a gateway that finds it back. */
async function measureBacklog(scene: Scene, orders: number) {
  const before = await scene.gateway('backlog', 'away')
  let placed = 0
  while (placed < orders) placed += (await placeOrders(`${before.url}/announced`, 64, 1)).requests
  await before.stop()
  const gateway = await scene.gateway('backlog', 'up')
  const startedAt = performance.now()
  const cpuBefore = cpuMsOf(gateway.pid)
  let delivered = await scene.delivered()
  for (let seen = -1; delivered < placed || delivered !== seen; ) {
    if (performance.now() - startedAt > DRAIN_WITHIN_MS) break
    await Bun.sleep(100)
    seen = delivered
    delivered = await scene.delivered()
  }
  const durationMs = performance.now() - startedAt - 100
  const cpuMs = cpuMsOf(gateway.pid) - cpuBefore
  await gateway.stop()
  await scene.purge()
  return { placed, delivered, durationMs, cpuMs }
}

function describeOrders(rows: readonly OrderRow[]): string {
  const of = ({ rounds }: OrderRow, read: (round: OrderRow['rounds'][number]) => number) => median(rounds.map(read))
  const p99 = (row: OrderRow) => of(row, ({ load }) => load.p99Us / 1_000)
  return table(
    ['', 'connections', 'orders/s', 'p50 ms', 'p99 ms', 'p99 added ms', 'CPU µs/order', 'errors'],
    rows.map((row) => {
      const plain = rows.find(({ route, connections }) => route === 'plain' && connections === row.connections) ?? row
      return [
        row.route === 'plain' ? 'without event' : 'with event',
        String(row.connections),
        of(row, ({ load }) => (load.requests * 1_000_000) / load.durationUs).toFixed(0),
        of(row, ({ load }) => load.p50Us / 1_000).toFixed(2),
        p99(row).toFixed(2),
        row === plain ? '' : (p99(row) - p99(plain)).toFixed(2),
        of(row, ({ cpuUs }) => cpuUs).toFixed(0),
        String(row.rounds.reduce((sum, { load }) => sum + errorsOf(load), 0)),
      ]
    }),
  )
}

function errorsOf({ errors }: Load): number {
  return Object.values(errors).reduce((sum, count) => sum + count, 0)
}

async function measureAll(lab: Lab, plan: Plan) {
  const scene = await setScene(lab)
  const orders = await measureOrders(scene, plan)
  const count = plan.rounds > 1 ? BACKLOG.full : BACKLOG.quick
  console.error('Events, backlog')
  const backlog = await measureBacklog(scene, count)
  const direct = await scene.direct(backlog.delivered)
  return { orders, backlog, direct }
}

/** What events cost: on the request that waits for the disk, and on their way to the broker. */
export const events: Section = {
  title: 'An order with its event',
  tools: ['nginx', 'wrk', 'taskset'],
  async run(plan) {
    const { orders, backlog, direct } = await withLab((lab) => measureAll(lab, plan))
    const rate = (count: number, durationMs: number) => ((count * 1_000) / durationMs).toFixed(0)
    const rows = [
      ['outbox, relay, confirms', backlog],
      ['basicPublish with confirms, no outbox', { ...direct, delivered: backlog.delivered }],
    ] as const
    const text = `SQLite outbox (every write synced), RabbitMQ with confirms; the events go out while orders come in:

${describeOrders(orders.rows)}

Of ${orders.announced} orders counted, ${orders.delivered} events arrived (orders that were cut off at the end of a round have theirs, too).

A backlog of ${backlog.placed} counted orders, gone out on one core:

${table(
  ['', 'events', 'events/s', 'CPU µs/event'],
  rows.map(([name, { delivered, durationMs, cpuMs }]) => [
    name,
    String(delivered),
    rate(delivered, durationMs),
    ((cpuMs * 1_000) / delivered).toFixed(0),
  ]),
)}`
    const failed = orders.rows.flatMap(({ rounds }) => rounds).reduce((sum, { load }) => sum + errorsOf(load), 0)
    const isWhole = orders.delivered >= orders.announced && backlog.delivered >= backlog.placed
    return { text, isValid: failed === 0 && isWhole }
  },
}
