import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { AMQPClient } from '@cloudamqp/amqp-client'
import { z } from 'zod'
import { findRabbitMq } from '../../scripts/real-services.ts'
import type { Lab } from '../measure/lab.ts'
import { answeringOrders, nginxIn } from '../measure/nginx.ts'
import { CONTENDER_CORE, freePort, gatewayOn, LOAD_CORE, MANY_CALLS } from '../measure/processes.ts'

const EXCHANGE = 'sluice-bench'
const QUEUE = 'sluice-bench.orders'
const CONFIG = fileURLToPath(new URL('gateway.yaml', import.meta.url))
const DIRECT = fileURLToPath(new URL('direct.ts', import.meta.url))

/** A real RabbitMQ with one queue for the events, and an order service that accepts everything. */
export interface Scene {
  /** Starts a gateway on the outbox of that name. */
  gateway(outbox: string, broker: 'up' | 'away'): Promise<BenchGateway>
  /** Publishes without an outbox, from a process on the contenders' core. */
  direct(count: number): Promise<z.output<typeof outcome>>
  /** How many events the queue holds. */
  delivered(): Promise<number>
  /** Empties the queue. */
  purge(): Promise<void>
}

export interface BenchGateway {
  readonly pid: number
  readonly url: string
  /** Events that wait for the broker, as the gateway's metrics say. */
  pending(): Promise<number>
  stop(): Promise<void>
}

const outcome = z.object({ durationMs: z.number().positive(), cpuMs: z.number() })

/** Sets the scene. Everything but the contenders keeps to the other core, the broker too unless it was there before. */
export async function setScene(lab: Lab): Promise<Scene> {
  Bun.spawnSync(['taskset', '-cp', String(LOAD_CORE), String(process.pid)])
  const broker = await findRabbitMq()
  if ('missing' in broker) throw new Error(broker.missing)
  lab.afterwards(() => broker.stop())
  const client = new AMQPClient(broker.url)
  await client.connect()
  const channel = await client.channel()
  await channel.exchangeDeclare(EXCHANGE, 'topic', { durable: true })
  await channel.queueDeclare(QUEUE, { durable: true })
  await channel.queueBind(QUEUE, EXCHANGE, '#')
  lab.afterwards(async () => {
    await channel.queueDelete(QUEUE)
    await channel.exchangeDelete(EXCHANGE)
    await client.close()
  })

  const upstream = freePort()
  await lab.run({
    name: 'orders',
    core: LOAD_CORE,
    port: upstream,
    command: (home) => nginxIn(home, answeringOrders(upstream)),
  })
  const outboxes = lab.folder('outboxes')
  let started = 0

  return {
    async gateway(outbox, state) {
      const port = freePort()
      const admin = freePort()
      const program = await lab.start({
        ...gatewayOn(port, CONFIG, admin),
        name: `gateway-${++started}`,
        environment: {
          ...MANY_CALLS,
          BENCH_AMQP_URL: state === 'up' ? broker.url : `amqp://127.0.0.1:${freePort()}`,
          BENCH_OUTBOX: join(outboxes, `${outbox}.db`),
          BENCH_UPSTREAM_PORT: String(upstream),
        },
      })
      return {
        pid: program.pid,
        url: `http://127.0.0.1:${port}`,
        async pending() {
          const text = await (await fetch(`http://127.0.0.1:${admin}/_sluice/metrics`)).text()
          return Number(/^sluice_outbox_pending (\S+)$/m.exec(text)?.[1] ?? Number.NaN)
        },
        stop: () => program.stop(),
      }
    },

    async direct(count) {
      const environment = { ...process.env, AMQP_URL: broker.url, EXCHANGE, COUNT: String(count) }
      const child = Bun.spawn(['taskset', '-c', String(CONTENDER_CORE), process.execPath, DIRECT], {
        stdio: ['ignore', 'pipe', 'inherit'],
        env: environment,
      })
      const output = await new Response(child.stdout).text()
      if ((await child.exited) !== 0) throw new Error(`Publishing directly ended with ${child.exitCode}`)
      return outcome.parse(JSON.parse(output))
    },

    async delivered() {
      return (await channel.queueDeclare(QUEUE, { passive: true })).messageCount
    },

    async purge() {
      await channel.queuePurge(QUEUE)
    },
  }
}
