import type { AMQPChannel } from '@cloudamqp/amqp-client'
import { type AmqpConnection, connectAmqp } from '../../../gateway/events/amqp-connection.ts'
import { realClock, until } from '../real-time.ts'
import { seededRandom } from '../seeded-random.ts'
import { startMortalBroker } from './mortal-broker.ts'
import { type Delivered, isDoomed, type Story } from './story.ts'

export interface CrashOptions {
  readonly file: string | undefined
  readonly kills: number
  readonly seed: number
}

const IN_FLIGHT = 32
const PREFETCH = 20
const SHORTEST_LIFE_MS = 20
const LONGEST_LIFE_MS = 250
const EXCHANGE = 'events'
/** Both get every message; the first has dead letters. */
const QUEUES = ['work', 'log'] as const
const GRAVES = 'graves'

/**
 * Publishes with confirms and consumes from two queues while the broker is killed at random moments, then lets everything
 * come to rest and tells what was seen.
 */
export async function crashAgainAndAgain({ file, kills, seed }: CrashOptions): Promise<Story> {
  const random = seededRandom(seed)
  const broker = await startMortalBroker(file)
  const published = new Map<number, number>()
  const confirmed = new Set<number>()
  const delivered: Record<(typeof QUEUES)[number], Delivered[]> = { work: [], log: [] }
  const deadLetters: number[] = []
  let isPublishing = true
  let isConsuming = true

  const publishing = stayConnected(
    broker.url,
    () => isPublishing,
    async (channel) => {
      await channel.confirmSelect()
      let next = published.size + 1
      const again = [...published.keys()].filter((number) => !confirmed.has(number))
      const send = async () => {
        while (again.length > 0 || isPublishing) {
          const number = again.shift() ?? next++
          published.set(number, (published.get(number) ?? 0) + 1)
          await channel.basicPublish(EXCHANGE, 'order.placed', String(number), { deliveryMode: 2 })
          confirmed.add(number)
        }
      }
      await Promise.all(Array.from({ length: IN_FLIGHT }, send))
    },
  )
  const consuming = stayConnected(
    broker.url,
    () => isConsuming,
    async (channel, ended) => {
      await declare(channel)
      await channel.basicQos(PREFETCH)
      for (const queue of QUEUES) {
        await channel.basicConsume(queue, { noAck: false }, async (message) => {
          const number = Number(message.bodyString())
          delivered[queue].push({ number, redelivered: message.redelivered })
          if (queue === 'work' && isDoomed(number)) await message.reject(false)
          else await message.ack()
        })
      }
      await ended
    },
  )

  for (let kill = 0; kill < kills; kill += 1) {
    await realTime(SHORTEST_LIFE_MS + random() * (LONGEST_LIFE_MS - SHORTEST_LIFE_MS))
    await broker.killAndRestart()
  }
  isPublishing = false
  await publishing
  await useOnce(broker.url, async (channel) => {
    const isEmpty = async (queue: string) => (await channel.queueDeclare(queue, { passive: true })).messageCount === 0
    await until('both queues are empty', async () => (await isEmpty('work')) && (await isEmpty('log')), 30_000)
  })
  isConsuming = false
  await consuming
  await useOnce(broker.url, async (channel) => {
    for (let next = await channel.basicGet(GRAVES); next !== null; next = await channel.basicGet(GRAVES)) {
      deadLetters.push(Number(next.bodyString()))
    }
  })
  const exitCode = await broker.stop()
  if (exitCode !== 0) throw new Error(`The broker stopped with ${exitCode}`)
  return { published, confirmed, delivered, deadLetters }
}

async function declare(channel: AMQPChannel): Promise<void> {
  await channel.exchangeDeclare(EXCHANGE, 'topic', { durable: true })
  await channel.queueDeclare(GRAVES, { durable: true })
  await channel.queueDeclare('log', { durable: true })
  const toGraves = { 'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': GRAVES }
  const safe = { 'x-queue-type': 'quorum', 'x-dead-letter-strategy': 'at-least-once', 'x-overflow': 'reject-publish' }
  await channel.queueDeclare('work', { durable: true }, { ...safe, ...toGraves })
  for (const queue of QUEUES) await channel.queueBind(queue, EXCHANGE, '#')
}

/** Works on one connection after the other until `goesOn` says no, then ends the last one. */
async function stayConnected(
  url: string,
  goesOn: () => boolean,
  work: (channel: AMQPChannel, ended: Promise<unknown>) => Promise<void>,
): Promise<void> {
  for (let isDone = false; !isDone; ) {
    const connection = await connect(url)
    if (connection === undefined) continue
    try {
      const stopped = until('the end', () => !goesOn(), 600_000)
      const channel = await connection.openChannel()
      await declare(channel)
      await Promise.race([work(channel, Promise.race([connection.ended, stopped])), connection.ended])
      isDone = !goesOn()
    } catch {
      // Killed in the middle: the next connection takes up what is open.
    }
    await connection.close()
  }
}

async function useOnce(url: string, use: (channel: AMQPChannel) => Promise<void>): Promise<void> {
  const connection = await connect(url)
  if (connection === undefined) throw new Error('The broker is away')
  await use(await connection.openChannel())
  await connection.close()
}

function connect(url: string): Promise<AmqpConnection | undefined> {
  const nothing = () => {}
  const options = { url: new URL(url), clock: realClock, connectTimeoutMs: 2_000 }
  return connectAmqp({ ...options, onBlocked: nothing, onUnblocked: nothing }).catch(async () => {
    await realTime(5)
    return undefined
  })
}

function realTime(delayMs: number): Promise<void> {
  return new Promise((resolve) => realClock.after(delayMs, resolve))
}
