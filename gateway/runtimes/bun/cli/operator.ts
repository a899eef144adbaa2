import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { ConfigError } from '../../../config/mistake.ts'
import type { Plan } from '../../../config/plan.ts'
import {
  type CompensationOperations,
  type DeadLetterOperations,
  OperationRefused,
  type OutboxOperations,
} from '../../../core/operations.ts'
import { deadLetterQueues } from '../../../core/topology.ts'
import { createAmqpDeadLetters } from '../../../events/amqp-dead-letters.ts'
import { createOutboxOperations } from '../../../events/outbox-operations.ts'
import { createCompensationOperations } from '../../../saga/compensation-operations.ts'
import { openSqliteOutbox } from '../sqlite-outbox.ts'
import { openSqliteSagas } from '../sqlite-sagas.ts'
import { systemClock } from '../system-clock.ts'
import { createAdminClient } from './admin-client.ts'
import { loadFile, reportMistakes } from './check.ts'

/** What every command of an operator takes. */
export interface OperatorFlags {
  readonly config: string
  readonly adminPort: number | undefined
  readonly json?: boolean
}

/** The operations of one kind, and where they come from: a running gateway, or a file or broker asked directly. */
export interface Reached<Kind> {
  readonly operations: Kind
  readonly from: string
  /** False when no gateway runs, and nobody knows what only a running one holds. */
  readonly isLive: boolean
}

type Reach<Kind> = (plan: Plan, flags: OperatorFlags) => Promise<Reached<Kind> & { close(): Promise<void> }>

/**
 * Does `work` with what it reaches, and returns its exit code: 1, with the reason on standard error, when the file is
 * wrong, nothing is reached, or the wish is refused.
 */
export async function operate<Kind>(
  reach: Reach<Kind>,
  flags: OperatorFlags,
  work: (reached: Reached<Kind>) => Promise<number>,
): Promise<number> {
  try {
    const { close, ...reached } = await reach(loadFile(flags.config), flags)
    try {
      return await work(reached)
    } finally {
      await close()
    }
  } catch (error) {
    if (error instanceof ConfigError) console.error(reportMistakes(error))
    else if (error instanceof OperationRefused) console.error(error.message)
    else throw error
    return 1
  }
}

const SQLITE = 'sqlite:'
const NOTHING_TO_CLOSE = async () => {}

/** The outbox of the gateway that runs with this file, or the outbox's own file when none does. */
export const outboxOf: Reach<OutboxOperations> = async (plan, flags) => {
  const { client, url } = await findGateway(plan, flags)
  if (client) return { operations: client.outbox, from: `the gateway at ${url}`, isLive: true, close: NOTHING_TO_CLOSE }
  const path = fileOf(plan, 'outbox', url)
  const outbox = await openSqliteOutbox({ path })
  return {
    operations: createOutboxOperations({ outbox, clock: systemClock }),
    from: `${path}; no gateway runs at ${url}`,
    isLive: false,
    close: () => outbox.close(),
  }
}

/** The journal of the gateway that runs with this file, or the journal's own file when none does. */
export const compensationsOf: Reach<CompensationOperations> = async (plan, flags) => {
  const { client, url } = await findGateway(plan, flags)
  if (client)
    return { operations: client.compensations, from: `the gateway at ${url}`, isLive: true, close: NOTHING_TO_CLOSE }
  const path = fileOf(plan, 'journal', url)
  const storage = openSqliteSagas({ path })
  return {
    operations: createCompensationOperations({ storage, clock: systemClock }),
    from: `${path}; no gateway runs at ${url}`,
    isLive: false,
    close: () => storage.close(),
  }
}

/** Throws when what a gateway that is not there has left is not in a file. */
function fileOf({ services }: Plan, name: 'outbox' | 'journal', url: string): string {
  const place = services[name]
  const gone = `No gateway runs at ${url}, and `
  if (!place.startsWith(SQLITE)) {
    throw new OperationRefused('unavailable', `${gone}its ${name} was in memory and is gone with it`)
  }
  const path = resolve(place.slice(SQLITE.length))
  if (existsSync(path)) return path
  throw new OperationRefused('unavailable', `${gone}there is no ${name} at ${path} (services.${name})`)
}

/** The dead letters as the gateway that runs with this file sees them, or those of its broker when none does. */
export const deadLettersOf: Reach<DeadLetterOperations> = async (plan, flags) => {
  const { client, url } = await findGateway(plan, flags)
  if (client)
    return { operations: client.deadLetters, from: `the gateway at ${url}`, isLive: true, close: NOTHING_TO_CLOSE }
  const { broker } = plan.services
  if (broker.startsWith('embedded:')) {
    const message = `No gateway runs at ${url}, and the dead letters are in the broker inside it: start it, or give its --admin-port`
    throw new OperationRefused('unavailable', message)
  }
  const deadLetters = createAmqpDeadLetters({
    url: broker,
    queues: deadLetterQueues(plan.topology),
    clock: systemClock,
  })
  return {
    operations: deadLetters,
    from: `the broker at ${new URL(broker).host}; no gateway runs at ${url}`,
    isLive: false,
    close: deadLetters.close,
  }
}

const HEALTH_MS = 3_000

/** A gateway listens on every address as on the loopback. */
const EVERYWHERE: ReadonlySet<string> = new Set(['0.0.0.0', '::', '[::]'])

async function findGateway({ server: { admin } }: Plan, { adminPort = admin.port }: OperatorFlags) {
  const host = EVERYWHERE.has(admin.host) ? '127.0.0.1' : admin.host
  const url = `http://${host.includes(':') ? `[${host}]` : host}:${adminPort}`
  const isThere = adminPort !== 0 && (await answers(url))
  return { url, client: isThere ? createAdminClient({ url, token: admin.token }) : undefined }
}

/** False when nobody listens. Throws when somebody else does. */
async function answers(url: string): Promise<boolean> {
  let response: Response
  try {
    response = await fetch(`${url}/_sluice/health`, { signal: AbortSignal.timeout(HEALTH_MS), redirect: 'error' })
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : ''
    if (code === 'ConnectionRefused' || code === 'ECONNREFUSED') return false
    throw new OperationRefused('unavailable', `What listens at ${url} does not answer: ${String(error)}`)
  }
  const health = (await response.json().catch(() => undefined)) as { readonly status?: unknown } | undefined
  if (response.ok && health?.status === 'ok') return true
  throw new OperationRefused(
    'unavailable',
    `What listens at ${url} is no gateway: give the right --admin-port or --config`,
  )
}
