import { mkdirSync, mkdtempSync } from 'node:fs'
import { join } from 'node:path'
import type { Books } from './books.ts'
import { createChance } from './chance.ts'
import { findAnomalies } from './checker.ts'
import { bringAbout } from './faults.ts'
import { type LoadResult, placeOrders } from './load.ts'
import type { RunPlan } from './plan.ts'
import { readBooks, readBroker, readOutbox } from './read-books.ts'
import { openScene, type Scene, type SceneOptions } from './scene.ts'

/** What came of one run. */
export interface RunResult {
  /** Name of the row, for a run that is no seed's. */
  readonly row?: string
  readonly plan: RunPlan
  /** Faults that have come about; one that was planned at a step that was never reached has not. */
  readonly fired: readonly string[]
  readonly anomalies: readonly string[]
  readonly seconds: number
  /** The longest a gateway has taken to serve, in milliseconds. */
  readonly slowestStartMs: number
  readonly accepted: number
  readonly refused: number
  readonly givenUp: number
  readonly answers: Readonly<Record<string, number>>
  readonly stored: number
  /** Repeats that the broker delivered and the inboxes had to know. */
  readonly repeats: number
  /** Entries that were parked and put back by the operator. */
  readonly parked: number
  /** Where logs and databases are, for a run that failed. */
  readonly folder: string | undefined
}

export interface RunOptions extends Omit<SceneOptions, 'folder'> {
  /** Folder in which each run has its own. */
  readonly place: string
  /** How long things may take to come right after the last fault, in milliseconds. */
  readonly settleWithinMs?: number
  /** Faults that are brought about besides, given the scene. */
  readonly during?: (scene: Scene) => Promise<void>
}

const SETTLE_WITHIN_MS = 90_000
const POLL_MS = 150
/** So long must the books be right before everything is stopped: what comes late would come now. */
const STAYS_RIGHT_MS = 200

/** Orders under load with faults, then peace, then the books. */
export async function run(plan: RunPlan, options: RunOptions): Promise<RunResult> {
  const startedAt = performance.now()
  mkdirSync(options.place, { recursive: true })
  const folder = mkdtempSync(join(options.place, `run-${plan.seed}-`))
  const scene = await openScene(plan, { ...options, folder })
  let anomalies: readonly string[] = ['the run did not come to its end']
  try {
    const load = await placeUnderFaults(scene, options)
    const withinMs = options.settleWithinMs ?? SETTLE_WITHIN_MS
    await comeRight(scene, load, withinMs)
    const parked = await retryParked(scene)
    if (parked > 0) await comeRight(scene, load, withinMs)
    const { books, unclean } = await closeBooks(scene, load)
    const stillParked = books.outbox.filter(({ state }) => state === 'parked')
    anomalies = [
      ...findAnomalies(books),
      ...stillParked.map(({ reason }) => `parked again after the operator put it back: ${reason}`),
      ...unclean,
      ...scene.crashes,
    ]
    return result(scene, books, { anomalies, parked, seconds: (performance.now() - startedAt) / 1_000 })
  } finally {
    await scene.close(anomalies.length > 0)
  }
}

async function placeUnderFaults(scene: Scene, { during }: RunOptions): Promise<LoadResult> {
  const { plan, gatewayUrls } = scene
  const faults: Promise<void>[] = during ? [during(scene)] : []
  const load = await placeOrders({
    chance: createChance(plan.seed ^ 0x10ad),
    gateways: gatewayUrls,
    orders: plan.orders,
    customers: plan.customers,
    answerWithinMs: 2_500,
    giveUpAfterMs: 15_000,
    onBegin(begun) {
      for (const fault of plan.faults) if (fault.afterOrders === begun) faults.push(bringAbout(scene, fault))
    },
  })
  await Promise.all(faults)
  return load
}

/** Waits until the books are right and stay so; comes back all the same when they never are, for the checker to say why. */
async function comeRight(scene: Scene, load: LoadResult, withinMs: number): Promise<void> {
  const until = performance.now() + withinMs
  let rightSince: number | undefined
  while (performance.now() < until) {
    const now = performance.now()
    const isRight =
      isEverybodyThere(scene) && findAnomalies(readBooks(scene, load)).length === 0 && (await areQueuesEmpty(scene))
    rightSince = isRight ? (rightSince ?? now) : undefined
    if (rightSince !== undefined && now - rightSince >= STAYS_RIGHT_MS) return
    await Bun.sleep(POLL_MS)
  }
}

/** Ends everything and reads what is left. A broker inside the gateway has to be asked before that ends. */
async function closeBooks(scene: Scene, load: LoadResult): Promise<{ books: Books; unclean: readonly string[] }> {
  const isInside = scene.plan.broker === 'inside'
  const first = isInside ? [] : await scene.stopGateways()
  const second = await scene.stopConsumers()
  const { depths, ...broker } = await readBroker(scene)
  const third = isInside ? await scene.stopGateways() : []
  const books = readBooks(scene, load)
  const unfinished = new Map([...books.unfinished, ...depths])
  return { books: { ...books, ...broker, unfinished }, unclean: [...first, ...second, ...third] }
}

/** What was parked is put back by an operator now that everything works; resolves with how much there was. */
async function retryParked({ gateways, storage }: Scene): Promise<number> {
  const parked = readOutbox(storage('outbox')).filter(({ state }) => state === 'parked').length
  const [gateway] = gateways
  if (parked === 0 || !gateway?.facts) return parked
  const headers = { 'content-type': 'application/json' }
  await fetch(`${gateway.facts.adminUrl}/_sluice/outbox/retry`, { method: 'POST', headers, body: '{}' })
  return parked
}

/** Events that change no book may still be on their way. */
async function areQueuesEmpty({ operator, names }: Scene): Promise<boolean> {
  const depths = await operator.depths(names.queues)
  return [...depths.values()].every((depth) => depth === 0)
}

function isEverybodyThere({ gateways, consumers }: Scene): boolean {
  return [...gateways, ...Object.values(consumers)].every(({ facts }) => facts !== undefined)
}

function result(
  { plan, fired, folder, gateways }: Scene,
  { load, orders, deliveries }: Books,
  { anomalies, seconds, parked }: Pick<RunResult, 'anomalies' | 'seconds' | 'parked'>,
): RunResult {
  const count = (kind: string) => load.placed.filter(({ outcome }) => outcome.kind === kind).length
  const ids = (deliveries ?? []).map(({ type, eventId }) => `${type} ${eventId}`)
  return {
    plan,
    fired: plan.faults.map(({ name }) => name).filter((name) => fired.has(name)),
    anomalies,
    seconds,
    slowestStartMs: Math.round(Math.max(...gateways.map((gateway) => gateway.slowestStartMs))),
    accepted: count('accepted'),
    refused: count('refused'),
    givenUp: count('given-up'),
    answers: load.answers,
    stored: orders.length,
    repeats: ids.length - new Set(ids).size,
    parked,
    folder: anomalies.length > 0 ? folder : undefined,
  }
}
