import type { Database } from 'bun:sqlite'

interface MessageRow {
  readonly exchange: string
  readonly routing_key: string
  readonly properties: Uint8Array
  readonly is_persistent: number
  readonly body: Uint8Array
}

interface EntryRow {
  readonly position: number
  readonly queue: number
  readonly bytes: number
  readonly expires_at_ms: number | null
  readonly returns: number
}

type Value = string | number | null | Uint8Array

/** Every statement of the broker's storage, compiled once. All can be repeated when nobody knows whether they were done. */
export function prepareBrokerStatements(database: Database) {
  return {
    keepExchange: database.prepare<null, [name: string, declaration: string]>(
      'INSERT OR REPLACE INTO exchanges (name, declaration) VALUES (?, ?)',
    ),
    dropExchange: database.prepare<null, [name: string]>('DELETE FROM exchanges WHERE name = ?'),
    dropBindingsOfExchange: database.prepare<null, [name: string]>('DELETE FROM bindings WHERE exchange = ?'),
    keepQueue: database.prepare<null, [id: number, name: string, declaration: string]>(
      'INSERT OR REPLACE INTO queues (id, name, declaration) VALUES (?, ?, ?)',
    ),
    dropQueue: database.prepare<null, [id: number]>('DELETE FROM queues WHERE id = ?'),
    dropBindingsOfQueue: database.prepare<null, [id: number]>('DELETE FROM bindings WHERE queue = ?'),
    keepBinding: database.prepare<null, [exchange: string, queue: number, routingKey: string]>(
      'INSERT OR REPLACE INTO bindings (exchange, queue, routing_key) VALUES (?, ?, ?)',
    ),
    dropBinding: database.prepare<null, [exchange: string, queue: number, routingKey: string]>(
      'DELETE FROM bindings WHERE exchange = ? AND queue = ? AND routing_key = ?',
    ),
    keepMessage: database.prepare<null, Value[]>(
      `INSERT OR REPLACE INTO messages (position, queue, exchange, routing_key, properties, is_persistent, expires_at_ms, returns, body)
       VALUES (?, ?, ?, ?, ?, ?, ?, 0, ?)`,
    ),
    dropMessage: database.prepare<null, [position: number]>('DELETE FROM messages WHERE position = ?'),
    keepReturns: database.prepare<null, [returns: number, position: number]>(
      'UPDATE messages SET returns = ? WHERE position = ?',
    ),
    keepDelivered: database.prepare<null, [position: number, queue: number]>(
      'UPDATE queues SET delivered_to = ? WHERE id = ?',
    ),
    fillProbe: database.prepare<null, []>('INSERT OR REPLACE INTO probe (id, room) VALUES (0, zeroblob(65536))'),
    emptyProbe: database.prepare<null, []>('DELETE FROM probe'),

    readMessage: database.prepare<MessageRow, [position: number]>(
      'SELECT exchange, routing_key, properties, is_persistent, body FROM messages WHERE position = ?',
    ),
    exchanges: database.prepare<{ declaration: string }, []>('SELECT declaration FROM exchanges'),
    queues: database.prepare<{ id: number; declaration: string; delivered_to: number }, []>(
      'SELECT id, declaration, delivered_to FROM queues ORDER BY id',
    ),
    bindings: database.prepare<{ exchange: string; queue: number; routing_key: string }, []>(
      'SELECT exchange, queue, routing_key FROM bindings',
    ),
    messages: database.prepare<EntryRow, []>(
      `SELECT position, queue, length(properties) + length(body) AS bytes, expires_at_ms, returns
       FROM messages ORDER BY position`,
    ),
    dropOrphans: database.prepare<null, []>('DELETE FROM messages WHERE queue NOT IN (SELECT id FROM queues)'),
  }
}

export type BrokerStatements = ReturnType<typeof prepareBrokerStatements>
