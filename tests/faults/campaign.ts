import { appendFileSync } from 'node:fs'
import { findRabbitMq, type RabbitMqNode, startRabbitMqNode } from './rabbitmq-node.ts'
import type { Row } from './rows.ts'
import { type RunOptions, type RunResult, run } from './run.ts'

/** A run to be made: of a seed, or a row of its own. */
export type Job = Pick<Row, 'plan' | 'during' | 'expects'> & { readonly row?: string }

export interface CampaignOptions {
  /** The next one; undefined when there are enough. */
  readonly next: () => Job | undefined
  readonly parallel: number
  /** Folder in which each run has its own. */
  readonly place: string
  /** File to which each result is appended, one JSON object a line. */
  readonly results?: string | undefined
  readonly onResult: (result: RunResult) => void
}

const FIRST_NODE_PORT = 23_000

/** Runs plans beside each other, on one RabbitMQ node that is started when the first of them needs it. */
export async function runCampaign(options: CampaignOptions): Promise<readonly RunResult[]> {
  const { next, parallel, place, results: file, onResult } = options
  const results: RunResult[] = []
  const turns = createTurns()
  let node: Promise<RabbitMqNode> | undefined
  let names = 0

  /** Names on the node are used again, which spares declaring everything anew; not after a run that left something. */
  async function work(): Promise<void> {
    let name = `s${++names}`
    for (let job = next(); job; job = next()) {
      const current = job
      const { broker, breaksNode } = current.plan
      const result = await turns.take(broker === 'rabbitmq', breaksNode, async () => {
        if (broker === 'rabbitmq') node ??= startNode()
        return await runSafely(current, { place, name, node: await node })
      })
      if (result.anomalies.length > 0) name = `s${++names}`
      results.push(result)
      if (file) appendFileSync(file, `${JSON.stringify(result)}\n`)
      onResult(result)
    }
  }

  try {
    await Promise.all(Array.from({ length: parallel }, work))
  } finally {
    await (await node?.catch(() => undefined))?.stop()
  }
  return results
}

function startNode(): Promise<RabbitMqNode> {
  const binary = findRabbitMq()
  if (binary === undefined) throw new Error('RabbitMQ is not installed')
  return startRabbitMqNode(binary, FIRST_NODE_PORT + 2 * (process.pid % 500))
}

/** A run that breaks off is a failure like any other. */
async function runSafely({ plan, during, expects, row }: Job, options: RunOptions): Promise<RunResult> {
  const startedAt = performance.now()
  const named = row === undefined ? {} : { row }
  try {
    const result = await run(plan, during ? { ...options, during } : options)
    const disappointment = expects?.(result)
    return { ...result, ...named, anomalies: [...result.anomalies, ...(disappointment ? [disappointment] : [])] }
  } catch (error) {
    const why = error instanceof Error ? (error.stack ?? error.message) : String(error)
    const counts = { slowestStartMs: 0, accepted: 0, refused: 0, givenUp: 0, stored: 0, repeats: 0, parked: 0 }
    const seconds = (performance.now() - startedAt) / 1_000
    const anomalies = [`the run broke off: ${why}`]
    return { plan, ...named, fired: [], anomalies, seconds, answers: {}, ...counts, folder: options.place }
  }
}

/** Lets runs share the node, and those that break it have it to themselves. */
function createTurns() {
  let sharing = 0
  let isTaken = false
  let waiting: (() => void)[] = []

  async function take<Result>(uses: boolean, alone: boolean, work: () => Promise<Result>): Promise<Result> {
    if (!uses) return work()
    while (isTaken || (alone && sharing > 0)) await new Promise<void>((resolve) => waiting.push(resolve))
    if (alone) isTaken = true
    sharing++
    try {
      return await work()
    } finally {
      sharing--
      if (alone) isTaken = false
      const awake = waiting
      waiting = []
      for (const wake of awake) wake()
    }
  }
  return { take }
}
