import { SQLiteError } from 'bun:sqlite'

/** Why a message can never be handled, as it stands in `x-error-type` of its dead letter. */
export type PoisonReason = 'not-an-event' | 'unknown-version' | 'unknown-type' | 'not-json' | 'too-large' | 'wrong-data'

/** A message nobody will ever be able to handle: dead-lettered at once, because trying again cannot help. */
export class Poison extends Error {
  override readonly name = 'Poison'
  readonly reason: PoisonReason

  constructor(reason: PoisonReason, message: string) {
    super(message)
    this.reason = reason
  }
}

/**
 * The service itself cannot work now (its database, a system it needs): the message stays in hand and is tried until
 * it works, however long that takes. Nothing is dead-lettered for it, and what comes later waits its turn.
 */
export class Unavailable extends Error {
  override readonly name = 'Unavailable'
}

/** The broker answered, and its answer was no: a queue of the name is another one, or this user may not use it. */
export class BrokerRefusal extends Error {
  override readonly name = 'BrokerRefusal'
}

/** SQLite's way to say that the statement is wrong, not the database. */
const WRONG_STATEMENT = /^SQLITE_(?:CONSTRAINT|ERROR|MISMATCH|RANGE|TOOBIG|MISUSE)/

/** Whether the failure is the service's own trouble and not the message's. */
export function isUnavailable(error: unknown): boolean {
  if (error instanceof Unavailable) return true
  return error instanceof SQLiteError && !WRONG_STATEMENT.test(error.code ?? 'SQLITE_ERROR')
}

/** What a dead letter says about its failure. */
export interface Failure {
  readonly type: string
  readonly detail: string
}

const MAX_DETAIL = 300

/** Type and detail of a failure, short enough for a header and without what looks like a secret. */
export function describeFailure(error: unknown): Failure {
  const detail = withoutSecrets(reasonOf(error)).slice(0, MAX_DETAIL)
  if (error instanceof Poison) return { type: error.reason, detail }
  const name = error instanceof Error ? error.name : 'unknown'
  return { type: name.replace(/[^\w-]/g, '').slice(0, 64) || 'unknown', detail }
}

/** The message of anything that was thrown. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** Credentials in URLs, bearer tokens, and numbers as long as a card's. */
function withoutSecrets(text: string): string {
  return text
    .replace(/\/\/[^/\s@]+@/g, '//***@')
    .replace(/\b(bearer|basic)\s+\S+/gi, '$1 ***')
    .replace(/\d(?:[ -]?\d){11,}/g, '***')
    .replace(/\p{Cc}+/gu, ' ')
}
