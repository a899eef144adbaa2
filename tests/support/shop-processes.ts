import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { AMQPClient } from '@cloudamqp/amqp-client'
import { checkBooks } from '../../upstream-mocks/books.ts'
import { toMessage } from '../../upstream-mocks/consumer/cloud-event.ts'
import type { CloudEvent } from '../../upstream-mocks/consumer/index.ts'
import type { Order } from '../../upstream-mocks/orders/order-book.ts'
import type { ServiceProcessSettings } from '../../upstream-mocks/testing/service-process.ts'
import { until } from './real-time.ts'

type Name = ServiceProcessSettings['service']
const NAMES: readonly Name[] = ['inventory', 'payments', 'orders']
const SCRIPT = join(import.meta.dir, '../../upstream-mocks/testing/service-process.ts')
const FAST = { retriesMs: [5, 10, 20], delaysMs: [50, 100, 200] }
const QUEUES = [
  'inventory.order-placed',
  'inventory.payment-declined',
  'inventory.order-cancelled',
  'inventory.order-confirmed',
  'payments.stock-reserved',
  'orders.payment-confirmed',
  'orders.payment-declined',
  'orders.stock-rejected',
]

/** The shop's services that handle events, each a process of its own that can be killed and started again. */
export interface ShopProcesses {
  /** Starts a service; with `dieAt` it kills itself there. Resolves once it takes events, or is dead again. */
  start(name: Name, dieAt?: ServiceProcessSettings['dieAt']): Promise<void>
  /** SIGKILL, now. */
  kill(name: Name): Promise<void>
  /** SIGTERM, and the exit code. */
  stop(name: Name): Promise<number>
  isAlive(name: Name): boolean
  /** From now on whoever dies by itself is started again, without a death ahead of it. */
  keepAlive(): void
  /** Asks under one key until it is answered, whoever is killed meanwhile. */
  place(sku: string, quantity: number, card?: string): Promise<Order>
  publish(event: CloudEvent): Promise<void>
  books(settled?: boolean): ReturnType<typeof checkBooks>
  /** Id and reason of every dead letter so far, each once: a service that dies may set one aside twice. */
  deadLetters(): Promise<ReadonlySet<string>>
  close(): Promise<void>
}

interface Running {
  readonly process: Bun.Subprocess<'ignore', 'pipe', 'ignore'>
  readonly port: number
}

/** Prepares a shop of processes on a broker; nothing runs until `start`. */
export async function prepareShop(brokerUrl: string): Promise<ShopProcesses> {
  const data = mkdtempSync(join(tmpdir(), 'shop-processes-'))
  const queuePrefix = `shop-${crypto.randomUUID()}.`
  const exchange = `${queuePrefix}events`
  const client = new AMQPClient(brokerUrl)
  await client.connect()
  const channel = await client.channel()
  await channel.confirmSelect()
  const running = new Map<Name, Running>()
  const letters = new Set<string>()
  const revivals = new Map<Name, Promise<void>>()
  let revives = false

  function find(name: Name): Running {
    const found = running.get(name)
    if (!found) throw new Error(`${name} does not run`)
    return found
  }

  function isAlive(name: Name): boolean {
    const process = running.get(name)?.process
    return process !== undefined && process.exitCode === null && process.signalCode === null
  }

  async function end(name: Name, signal: 'SIGKILL' | 'SIGTERM'): Promise<number> {
    await revivals.get(name)
    const { process } = find(name)
    running.delete(name)
    process.kill(signal)
    return process.exited
  }

  function revive(name: Name, died: Running['process']): void {
    if (!revives || running.get(name)?.process !== died) return
    const reviving = start(name).finally(() => revivals.delete(name))
    revivals.set(name, reviving)
  }

  async function start(name: Name, dieAt?: ServiceProcessSettings['dieAt']): Promise<void> {
    const settings: ServiceProcessSettings = {
      service: name,
      data,
      url: brokerUrl,
      exchange,
      queuePrefix,
      ...FAST,
      ...(dieAt && { dieAt }),
    }
    const process = Bun.spawn([globalThis.process.execPath, SCRIPT, JSON.stringify(settings)], {
      stdin: 'ignore',
      stdout: 'pipe',
      stderr: 'ignore',
    })
    const { value } = await process.stdout.getReader().read()
    const port = Number(new TextDecoder().decode(value))
    if (!port) throw new Error(`${name} did not start`)
    running.set(name, { process, port })
    const isConnected = async () => {
      if (!isAlive(name)) return true
      const metrics = await fetch(`http://127.0.0.1:${port}/metrics`).catch(() => undefined)
      return (await metrics?.text())?.includes(`consumer_connected{service="${name}"} 1`) ?? false
    }
    void process.exited.then(() => revive(name, process))
    await until(`${name} takes events`, isConnected)
  }

  return {
    start,
    kill: async (name) => void (await end(name, 'SIGKILL')),
    stop: (name) => end(name, 'SIGTERM'),
    isAlive,
    keepAlive() {
      revives = true
    },
    async place(sku, quantity, card) {
      const body = JSON.stringify({ items: [{ sku, quantity }], ...(card ? { payment: { card } } : {}) })
      const headers = { 'x-user-id': 'alice', 'idempotency-key': crypto.randomUUID() }
      let order: Order | undefined
      await until('the order is taken', async () => {
        const url = `http://127.0.0.1:${running.get('orders')?.port}/orders`
        const reply = await fetch(url, { method: 'POST', body, headers }).catch(() => undefined)
        order = reply?.status === 201 ? ((await reply.json()) as Order) : undefined
        return order !== undefined
      })
      if (!order) throw new Error('no order')
      return order
    },
    async publish(event) {
      const { body, properties } = toMessage(event)
      await channel.basicPublish(exchange, event.type, body, properties, true)
    },
    books: (settled = false) => checkBooks(data, { settled }),
    async deadLetters() {
      for (;;) {
        const letter = await channel.basicGet(`${exchange}.dead-letters`, { noAck: true })
        if (!letter) return letters
        const { messageId, headers } = letter.properties
        letters.add(`${messageId} ${headers?.['x-error-type']}: ${headers?.['x-error-detail']}`)
      }
    },
    async close() {
      revives = false
      for (const name of NAMES) if (running.has(name)) await end(name, 'SIGKILL')
      for (const queue of QUEUES) {
        for (const suffix of ['', ...FAST.delaysMs.map((ms) => `.retry-${ms}ms`)]) {
          await channel.queueDelete(queuePrefix + queue + suffix)
        }
      }
      await channel.queueDelete(`${exchange}.dead-letters`)
      await channel.exchangeDelete(`${exchange}.dead-letters`)
      await channel.exchangeDelete(exchange)
      await client.close()
      rmSync(data, { recursive: true })
    },
  }
}

/** Waits until every order has ended and nothing is owed any more. */
export async function settled(shop: ShopProcesses, orders: number, withinMs = 30_000): Promise<void> {
  const isSettled = () => {
    const { pending, owed, mistakes, ...books } = shop.books()
    if (mistakes.length > 0) throw new Error(`While it ran: ${mistakes.join('; ')}`)
    const nothingOwed = Object.values(owed).every((count) => count === 0)
    return books.orders === orders && pending === 0 && nothingOwed && shop.books(true).mistakes.length === 0
  }
  await until('every order has ended', isSettled, withinMs).catch((error: Error) => {
    throw new Error(`${error.message}: ${JSON.stringify(shop.books(true))}`)
  })
}
