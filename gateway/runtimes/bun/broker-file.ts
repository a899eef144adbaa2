import type { Database } from 'bun:sqlite'
import { statSync } from 'node:fs'
import { resolve } from 'node:path'
import type { Message } from '../../broker/message.ts'
import { restoreQueueSettings } from '../../broker/queue-settings.ts'
import type { BrokerStorage, StoredBroker, StoredEntry } from '../../broker/storage.ts'
import type { Clock } from '../../core/clock.ts'
import { BrokerJournal } from './broker-journal.ts'
import { prepareBrokerDatabase } from './broker-schema.ts'
import { type BrokerStatements, prepareBrokerStatements } from './broker-statements.ts'
import { openDatabaseFile } from './sqlite-open.ts'

export interface BrokerFileOptions {
  /** File of the database; its directory is made when missing. */
  readonly path: string
  readonly clock: Clock
}

/** The file cannot be used; the message names it and says what to do. */
export class BrokerFileError extends Error {
  override readonly name = 'BrokerFileError'
}

/** A broker's storage in a file. */
export interface BrokerFile extends BrokerStorage {
  /** Octets of the file and its log. */
  sizeBytes(): number
  /** What to tell an operator about a failure of the file. */
  explain(failure: unknown): Error
  /** Writes what is noted, if the disk takes it, and lets go of the file. */
  close(): void
}

/**
 * Keeps what must outlive a broker in an SQLite file that survives a crash and a power loss: what `whenWritten` told of
 * has been synced. One process at a time: throws a `BrokerFileError` when another one has the file, and when it cannot be
 * opened.
 */
export function openBrokerFile({ path, clock }: BrokerFileOptions): BrokerFile {
  const database = openDatabase(path)
  const statements = prepareBrokerStatements(database)
  const journal = new BrokerJournal({ database, statements, clock })
  let isClosed = false

  return {
    load: () => loadAll(statements),
    keepExchange: (declaration) =>
      journal.change(() => statements.keepExchange.run(declaration.name, JSON.stringify(declaration))),
    dropExchange: (name) =>
      journal.change(() => {
        statements.dropExchange.run(name)
        statements.dropBindingsOfExchange.run(name)
      }),
    keepQueue: (id, { name, autoDelete, settings }) =>
      journal.change(() => statements.keepQueue.run(id, name, JSON.stringify({ name, autoDelete, settings }))),
    dropQueue: (id) =>
      journal.change(() => {
        statements.dropQueue.run(id)
        statements.dropBindingsOfQueue.run(id)
      }),
    keepBinding: ({ exchange, queue, routingKey }) =>
      journal.change(() => statements.keepBinding.run(exchange, queue, routingKey)),
    dropBinding: ({ exchange, queue, routingKey }) =>
      journal.change(() => statements.dropBinding.run(exchange, queue, routingKey)),
    keepMessage: (stored) => journal.keepMessage(stored),
    dropMessage: (position) => journal.dropMessage(position),
    keepReturns: (position, returns) => journal.keepReturns(position, returns),
    keepDelivered: (queue, position) => journal.keepDelivered(queue, position),
    readMessage: (position) => readMessage(statements, position),
    whenWritten: (callback) => journal.whenWritten(callback),
    flush: () => journal.flush(),
    get failure() {
      return journal.failure
    },
    set onFailure(listener: (failure: string | undefined) => void) {
      journal.onFailure = listener
    },
    sizeBytes: () => sizeOf(path) + sizeOf(`${path}-wal`),
    explain: (failure) => unusable(path, failure),
    close() {
      if (isClosed) return
      isClosed = true
      try {
        journal.flush()
      } catch {
        // What the disk does not take now was confirmed to nobody.
      }
      journal.end()
      // SQLite keeps the file, and its lock, until the last statement is gone.
      for (const statement of Object.values(statements)) statement.finalize()
      database.close(true)
    },
  }
}

function loadAll(statements: BrokerStatements): StoredBroker {
  statements.dropOrphans.run()
  return {
    exchanges: statements.exchanges.all().map(({ declaration }) => JSON.parse(declaration)),
    queues: statements.queues.all().map(({ id, declaration, delivered_to: deliveredTo }) => {
      const { name, autoDelete, settings } = JSON.parse(declaration)
      const restored = { name, autoDelete, durable: true, owner: undefined, settings: restoreQueueSettings(settings) }
      return { id, deliveredTo, declaration: restored }
    }),
    bindings: statements.bindings.all().map(({ exchange, queue, routing_key: routingKey }) => {
      return { exchange, queue, routingKey }
    }),
    messages: entriesOf(statements),
  }
}

/** One by one: there may be hundreds of thousands. */
function* entriesOf(statements: BrokerStatements): Generator<StoredEntry> {
  for (const { position, queue, bytes, expires_at_ms, returns } of statements.messages.iterate()) {
    yield { position, queue, contentBytes: bytes, expiresAt: expires_at_ms ?? undefined, returns }
  }
}

function readMessage(statements: BrokerStatements, position: number): Message {
  const row = statements.readMessage.get(position)
  if (row === null) throw new Error(`The embedded broker's file has lost the message at ${position}`)
  const { exchange, routing_key: routingKey, properties, is_persistent, body } = row
  return { exchange, routingKey, properties, body, isPersistent: is_persistent === 1, expirationMs: undefined }
}

function openDatabase(path: string): Database {
  let database: Database | undefined
  try {
    database = openDatabaseFile(path)
    prepareBrokerDatabase(database)
    return database
  } catch (cause) {
    database?.close()
    throw unusable(path, cause)
  }
}

const MENDS: readonly (readonly [RegExp, string])[] = [
  [
    /locked/,
    'another process uses it: is this gateway running already? If not, give each gateway a file of its own (services.broker: "embedded:?file=…"), or start one with "embedded:5673" and let the others use its broker (services.broker: "amqp://guest:guest@127.0.0.1:5673")',
  ],
  [/malformed|not a database/, 'it is damaged, or no database: move it away to begin with an empty one'],
  [
    /unable to open|EACCES|EEXIST|ENOTDIR|EROFS|readonly/,
    'it cannot be written there: name another file, services.broker: "embedded:?file=…"',
  ],
  [/disk is full|ENOSPC/, 'the disk is full: make room'],
]

function unusable(path: string, cause: unknown): BrokerFileError {
  const reason = cause instanceof Error ? cause.message : String(cause)
  const mend = MENDS.find(([pattern]) => pattern.test(reason))?.[1] ?? reason
  return new BrokerFileError(`Cannot use the embedded broker's file ${resolve(path)}: ${mend}`, { cause })
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0
}
