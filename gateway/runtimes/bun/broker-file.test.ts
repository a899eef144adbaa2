import { Database } from 'bun:sqlite'
import { afterAll, describe, expect, test } from 'bun:test'
import { closeSync, existsSync, mkdtempSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { AMQPClient } from '@cloudamqp/amqp-client'
import { realClock, until } from '../../../tests/support/real-time.ts'
import { recordTelemetry } from '../../../tests/support/recorded-telemetry.ts'
import { openBrokerFile } from './broker-file.ts'
import { prepareBrokerDatabase } from './broker-schema.ts'
import { type EmbeddedBroker, startEmbeddedBroker } from './embedded-broker.ts'
import { openSqliteOutbox } from './sqlite-outbox.ts'

const folder = mkdtempSync(join(tmpdir(), 'sluice-broker-file-'))
const cleanUps: (() => unknown)[] = []
afterAll(async () => {
  for (const cleanUp of cleanUps.reverse()) await cleanUp()
  rmSync(folder, { recursive: true })
})

let files = 0
const newPath = () => join(folder, `broker-${files++}.db`)

async function start(file: string): Promise<EmbeddedBroker & { readonly log: ReturnType<typeof recordTelemetry> }> {
  const log = recordTelemetry()
  const broker = await startEmbeddedBroker({ clock: realClock, log: log.log, file })
  cleanUps.push(broker.stop)
  return { ...broker, log }
}

async function connect({ url }: EmbeddedBroker) {
  const client = new AMQPClient(url, undefined, null)
  client.onerror = () => {}
  await client.connect()
  const channel = await client.channel()
  await channel.confirmSelect()
  return { client, channel }
}

/** What starting a broker on that file is refused with. */
async function refusalOf(file: string): Promise<string> {
  return start(file).then(
    () => 'started',
    (error: Error) => error.message,
  )
}

async function fill(file: string, count: number): Promise<void> {
  const broker = await start(file)
  const { client, channel } = await connect(broker)
  await channel.queueDeclare('q', { durable: true })
  const body = new Uint8Array(1_000).fill(1)
  await Promise.all(Array.from({ length: count }, () => channel.basicPublish('', 'q', body, { deliveryMode: 2 })))
  await client.close()
  await broker.stop()
}

function change(file: string, statement: string): void {
  const database = new Database(file)
  database.run(statement)
  database.close()
}

describe('a file that cannot be used', () => {
  const cases: { name: string; prepare: (path: string) => unknown; says: string }[] = [
    {
      name: 'another process has',
      prepare: (path) => {
        const other = openBrokerFile({ path, clock: realClock })
        cleanUps.push(other.close)
      },
      says: 'another process uses it: is this gateway running already?',
    },
    {
      name: 'is an outbox',
      prepare: (path) => openSqliteOutbox({ path }).close(),
      says: 'it is the database of something else: name another file in services.broker',
    },
    {
      name: 'a newer version wrote',
      prepare: (path) => {
        openBrokerFile({ path, clock: realClock }).close()
        change(path, 'PRAGMA user_version = 9')
      },
      says: 'a newer version wrote it (schema 9, this one knows 1)',
    },
    {
      name: 'is no database',
      prepare: (path) => writeFileSync(path, 'just some text, and quite a lot of it. '.repeat(30)),
      says: 'it is damaged, or no database: move it away',
    },
    {
      name: 'is damaged in the middle',
      prepare: async (path) => {
        await fill(path, 200)
        const file = openSync(path, 'r+')
        writeSync(file, Buffer.alloc(120_000, 0x5a), 0, 120_000, 8_192)
        closeSync(file)
      },
      says: 'it is damaged, or no database: move it away',
    },
    {
      name: 'would be below a file',
      prepare: (path) => writeFileSync(path.slice(0, path.lastIndexOf('/')), ''),
      says: 'it cannot be written there: name another file',
    },
  ]
  test.each(cases)('is refused by name, with what to do: one that $name', async ({ name, prepare, says }) => {
    const path = name === 'would be below a file' ? join(newPath(), 'broker.db') : newPath()
    await prepare(path)
    const refusal = await refusalOf(path)
    expect(refusal).toContain(`Cannot use the embedded broker's file ${path}: `)
    expect(refusal).toContain(says)
    // And is let go of: it can be moved away, or opened by whoever may.
    expect(await refusalOf(path)).toBe(refusal)
  })

  test('is let go of when the port is taken', async () => {
    const path = newPath()
    const first = await start(newPath())
    const port = Number(new URL(first.url).port)
    const starting = startEmbeddedBroker({ clock: realClock, log: recordTelemetry().log, port, file: path })
    expect(await starting.then(String, String)).toContain('listen')
    openBrokerFile({ path, clock: realClock }).close()
  })
})

describe('a file', () => {
  test('is made with its directory, and closed and complete when the broker has stopped', async () => {
    const path = join(newPath(), 'a', 'broker.db')
    await fill(path, 3)
    expect(existsSync(`${path}-wal`)).toBe(false)
    const again = await start(path)
    expect(again.stats()).toMatchObject({ queues: 1, ready: 3, unsettled: 0 })
    expect(again.stats().fileBytes).toBeGreaterThan(3_000)
  })

  test('is synced with each transaction, and kept from others', () => {
    const database = new Database(newPath())
    prepareBrokerDatabase(database)
    const pragmas = ['synchronous', 'journal_mode', 'locking_mode']
    const settings = pragmas.map((name) => Object.values(database.query(`PRAGMA ${name}`).get() ?? {})[0])
    expect(settings).toEqual([2, 'wal', 'exclusive'])
    database.close()
  })

  test('shares one transaction among the messages of one turn', async () => {
    const path = newPath()
    const broker = await start(path)
    const { channel } = await connect(broker)
    await channel.queueDeclare('q', { durable: true })
    const publish = () => channel.basicPublish('', 'q', 'x', { deliveryMode: 2 })
    const sizeOfLog = () => Bun.file(`${path}-wal`).size
    const before = sizeOfLog()
    await Promise.all(Array.from({ length: 64 }, publish))
    const together = sizeOfLog() - before
    for (let i = 0; i < 64; i += 1) await publish()
    const alone = sizeOfLog() - before - together
    // Each transaction logs every page it touched, so 64 of them log the same pages many times over.
    expect(together * 5).toBeLessThan(alone)
  })
})

describe('a disk that is full', () => {
  test('ends the connection of a publisher without confirms, who would take silence for success', async () => {
    const path = newPath()
    openBrokerFile({ path, clock: realClock }).close()
    change(
      path,
      `CREATE TRIGGER full BEFORE INSERT ON messages BEGIN SELECT RAISE(ROLLBACK, 'database or disk is full'); END`,
    )
    const broker = await start(path)
    const { client } = await connect(broker)
    const errors: string[] = []
    client.onerror = ({ message }) => void errors.push(message)
    const channel = await client.channel()
    await channel.queueDeclare('q', { durable: true })
    await channel.basicPublish('', 'q', 'x', { deliveryMode: 2 })
    await until('the connection is closed', () => client.closed)
    expect(errors[0]).toContain('a message could not be stored: database or disk is full (506)')
    expect(broker.stats()).toMatchObject({ ready: 0, memoryBytes: 0, diskBytes: 0 })
  })

  test('gets every message of the transaction refused, publishers paused, and takes messages again later', async () => {
    const path = newPath()
    openBrokerFile({ path, clock: realClock }).close()
    // As a full disk does, this ends the whole transaction and not only the statement.
    change(
      path,
      `CREATE TRIGGER full BEFORE INSERT ON messages WHEN (SELECT count(*) FROM messages) >= 3
       BEGIN SELECT RAISE(ROLLBACK, 'database or disk is full'); END`,
    )
    change(
      path,
      `CREATE TRIGGER full_probe BEFORE INSERT ON probe WHEN (SELECT count(*) FROM messages) >= 3
       BEGIN SELECT RAISE(ROLLBACK, 'database or disk is full'); END`,
    )
    const broker = await start(path)
    const { client, channel } = await connect(broker)
    await channel.queueDeclare('q', { durable: true })
    const publish = (text: string) => channel.basicPublish('', 'q', text, { deliveryMode: 2 })
    await Promise.all(['1', '2', '3'].map(publish))

    const refused = await Promise.allSettled(['4', '5'].map(publish))
    expect(refused.map((result) => result.status === 'rejected' && String(result.reason))).toEqual([
      'Error: Message rejected',
      'Error: Message rejected',
    ])
    await until('the publisher is asked to pause', () => client.blocked !== undefined)
    expect(client.blocked).toContain('full')
    expect(broker.stats()).toMatchObject({ ready: 3, pauseReason: 'database or disk is full' })
    expect(broker.log.lines.map(({ message }) => message)).toContain(
      'Broker cannot write its file, and confirms nothing',
    )

    // What is stored can be consumed, which makes room.
    const texts: (string | null)[] = []
    await channel.basicConsume('q', { noAck: false }, async (message) => {
      texts.push(message.bodyString())
      await message.ack()
    })
    await until('the publisher may go on', () => texts.length === 3 && client.blocked === undefined)
    await publish('6')
    await until('everything has arrived', () => texts.length === 4)
    expect(texts).toEqual(['1', '2', '3', '6'])
    await client.close()
    await broker.stop()
    const again = await start(path)
    expect(again.stats()).toMatchObject({ ready: 0, diskBytes: 0 })
  })
})
