import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'bun:test'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { type AMQPBaseClient, AMQPClient, type AMQPMessage } from '@cloudamqp/amqp-client'
import { until } from '../support/real-time.ts'
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts'

/** Commands for a queue through the program itself, as a process, and a real RabbitMQ that goes away meanwhile. */

const MAIN = join(import.meta.dir, '../../gateway/runtimes/bun/cli/main.ts')
const { AMQP_TEST_URL: brokerUrl, CI } = process.env
const isLeftOut = brokerUrl === undefined && CI !== 'true'
const title = 'commands for a queue'

class Program {
  readonly child
  output = ''

  constructor(config: string) {
    this.child = Bun.spawn([process.execPath, MAIN, 'start', '--config', config, '--port', '0', '--admin-port', '0'], {
      stdout: 'pipe',
      stderr: 'pipe',
      env: { ...process.env, NO_COLOR: '1' },
    })
    for (const stream of [this.child.stdout, this.child.stderr]) void this.collect(stream)
  }

  private async collect(stream: ReadableStream<Uint8Array>) {
    const decoder = new TextDecoder()
    for await (const bytes of stream) this.output += decoder.decode(bytes, { stream: true })
  }

  /** Addresses of the two listeners, once they serve. */
  async urls(): Promise<{ url: string; admin: string }> {
    const served = () => /"message":"serving","url":"([^"]*)","admin":"([^"]*)"/.exec(this.output)
    await until(`the gateway to serve, which said: ${this.output}`, () => served() !== null)
    const [, url = '', admin = ''] = served() ?? []
    return { url, admin }
  }

  async kill(): Promise<void> {
    this.child.kill('SIGKILL')
    await this.child.exited
  }
}

describe.skipIf(isLeftOut)(isLeftOut ? `${title} (LEFT OUT: AMQP_TEST_URL names no RabbitMQ)` : title, () => {
  let folder: string
  let proxy: TcpProxy
  let observer: AMQPBaseClient
  let program: Program
  let exchange: string
  let queue: string

  beforeAll(async () => {
    if (!brokerUrl) throw new Error('AMQP_TEST_URL is needed: run npm test')
    folder = await mkdtemp(join(tmpdir(), 'sluice-commands-'))
    observer = await new AMQPClient(brokerUrl).connect()
  })
  afterAll(async () => {
    await observer?.close()
    await rm(folder, { recursive: true, force: true })
  })

  beforeEach(async () => {
    const broker = new URL(brokerUrl ?? '')
    proxy = await startTcpProxy(Number(broker.port || 5672), broker.hostname)
    exchange = `commands-${crypto.randomUUID()}`
    queue = `${exchange}.placed`
  })
  afterEach(async () => {
    await program?.kill()
    await proxy.close()
    const channel = await observer.channel()
    for (const name of [queue, `${exchange}.dead-letters`]) await channel.queueDelete(name)
    for (const name of [exchange, `${exchange}.dead-letters`]) await channel.exchangeDelete(name)
    await channel.close()
  })

  async function writeConfig(more: object = {}): Promise<string> {
    const url = new URL(brokerUrl ?? '')
    url.hostname = '127.0.0.1'
    url.port = String(proxy.port)
    const enqueue = { type: 'order.requested', exchange, 'status-path': '/commands/{command.id}' }
    const config = {
      version: 1,
      services: { broker: url.href, outbox: `sqlite:${join(folder, `${exchange}.db`)}` },
      topology: { exchanges: [exchange], queues: { [queue]: { exchange, bind: ['order.#'], retry: [] } } },
      routes: {
        request: { path: '/orders', methods: ['POST'], policies: [{ idempotency: {} }, { enqueue }] },
        command: { path: '/commands/:id', methods: ['GET'], policies: ['command-status'] },
      },
      ...more,
    }
    const path = join(folder, `${exchange}.yaml`)
    await writeFile(path, JSON.stringify(config))
    return path
  }

  async function order(url: string, quantity: number, headers: Record<string, string> = {}) {
    const response = await fetch(`${url}/orders`, { method: 'POST', body: JSON.stringify({ quantity }), headers })
    const { id } = (await response.json()) as { id: string }
    return { status: response.status, id, location: response.headers.get('location') }
  }

  async function statusOf(url: string, id: string): Promise<string> {
    const { status } = (await (await fetch(`${url}/commands/${id}`)).json()) as { status: string }
    return status
  }

  /** Takes messages off the queue until there are `count`, then what is left. */
  async function received(count: number): Promise<AMQPMessage[]> {
    const channel = await observer.channel()
    const messages: AMQPMessage[] = []
    await until(`${count} messages`, async () => {
      for (;;) {
        const message = await channel.basicGet(queue, { noAck: true }).catch(() => null)
        if (!message) return messages.length >= count
        messages.push(message)
      }
    })
    await channel.close()
    return messages
  }

  test('are accepted while the broker is away, told apart by their status, and published when it is back', async () => {
    program = new Program(await writeConfig())
    const { url } = await program.urls()
    const early = await order(url, 1)
    expect(early).toMatchObject({ status: 202, location: `/commands/${early.id}` })
    await until('the command to be published', async () => (await statusOf(url, early.id)) === 'published')

    proxy.cut()
    const trace = '0af7651916cd43dd8448eb211c80319c'
    const late = await order(url, 2, { traceparent: `00-${trace}-b7ad6b7169203331-01` })
    expect(late.status).toBe(202)
    expect(await statusOf(url, late.id)).toBe('accepted')
    proxy.resume()
    await until('the command to be published', async () => (await statusOf(url, late.id)) === 'published')
    const messages = await received(2)
    expect(messages.map(({ properties }) => properties.messageId)).toEqual([early.id, late.id])
    expect(messages.map((message) => JSON.parse(message.bodyString() ?? ''))).toEqual([
      { quantity: 1 },
      { quantity: 2 },
    ])
    const { correlationId, headers } = messages[1]?.properties ?? {}
    expect([correlationId, String(headers?.cloudEvents_traceparent).split('-')[1]]).toEqual([trace, trace])
    expect((await fetch(`${url}/commands/nobody-knows`)).status).toBe(404)
  }, 60_000)

  test('survive the gateway, which is killed right after the 202, and are known again when repeated', async () => {
    const config = await writeConfig()
    proxy.cut()
    program = new Program(config)
    const before = await program.urls()
    const key = { 'idempotency-key': 'k-1' }
    const accepted = await Promise.all([order(before.url, 1, key), order(before.url, 2), order(before.url, 3)])
    await program.kill()
    expect(accepted.map(({ status }) => status)).toEqual([202, 202, 202])

    program = new Program(config)
    const { url } = await program.urls()
    expect(await statusOf(url, accepted[0]?.id ?? '')).toBe('accepted')
    // The store of the keys was in memory and is gone: the id itself tells the repeat.
    expect(await order(url, 1, key)).toEqual({ ...accepted[0], status: 202 } as Awaited<ReturnType<typeof order>>)
    proxy.resume()
    await until('the commands to be published', async () => {
      const states = await Promise.all(accepted.map(({ id }) => statusOf(url, id)))
      return states.every((state) => state === 'published')
    })
    const ids = (await received(3)).map(({ properties }) => properties.messageId)
    expect(ids.sort()).toEqual(accepted.map(({ id }) => id).sort())
  }, 60_000)

  test('wait where the broker has another queue of that name, and the gateway says so: not ready at the start, degraded later (EV-18)', async () => {
    const changeQueue = async () => {
      const channel = await observer.channel()
      await channel.queueDelete(queue)
      await channel.queueDeclare(queue, { durable: true })
      await channel.close()
    }
    await changeQueue()
    program = new Program(await writeConfig())
    const { url, admin } = await program.urls()
    const readiness = async () => {
      const response = await fetch(`${admin}/_sluice/ready`)
      return { status: response.status, text: await response.text() }
    }
    await until('the refusal', async () => (await readiness()).text.includes('on the broker'))
    const { status, text } = await readiness()
    expect(status).toBe(503)
    expect(text).toContain(`queue \\"${queue}\\": x-dead-letter-exchange is to be`)
    await until('the line in the log', () => program.output.includes('The broker refuses a part of the topology'))
    const { id, status: answered } = await order(url, 1)
    expect([answered, await statusOf(url, id)]).toEqual([202, 'accepted'])

    const channel = await observer.channel()
    await channel.queueDelete(queue)
    await channel.close()
    await until('the command to be published', async () => (await statusOf(url, id)) === 'published', 20_000)
    expect((await readiness()).status).toBe(200)
    expect((await received(1)).map(({ properties }) => properties.messageId)).toEqual([id])

    // Once everything was there, a refusal takes no gateway out of service.
    await changeQueue()
    proxy.cut()
    proxy.resume()
    await until('the second refusal', async () => (await readiness()).text.includes('on the broker'))
    expect((await readiness()).status).toBe(200)
    expect((await readiness()).text).toContain('"status":"degraded"')
    expect(await (await fetch(`${admin}/_sluice/metrics`)).text()).toContain('sluice_topology_refused 1\n')
    expect((await order(url, 2)).status).toBe(202)
  }, 60_000)
})
