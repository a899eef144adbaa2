import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts'
import { createChance } from './chance.ts'
import { type FullDisk, mountSmallDisk } from './full-disk.ts'
import { gatewayConfig } from './gateway-config.ts'
import type { GatewaySettings } from './gateway-process.ts'
import { CONSUMERS, type ConsumerName, nameScene, type SceneNames } from './names.ts'
import { type BrokerOperator, createBrokerOperator } from './operator.ts'
import { type OrdersFront, startOrdersFront } from './orders-front.ts'
import { type Death, type Part, startPart } from './part.ts'
import type { RunPlan } from './plan.ts'
import type { RabbitMqNode } from './rabbitmq-node.ts'
import { countRows } from './read-books.ts'
import type { Sabotage } from './sabotage.ts'
import type { SceneTime } from './scene-clock.ts'
import type { ShopSettings } from './shop-process.ts'

/** How many times as fast as the machine's the clock of a gateway runs. */
export const SPEED = 10
const ORDERED_SIGNALS: ReadonlySet<string> = new Set(['SIGKILL', 'SIGTERM'])
const STEP_FAULT = 'gateway-killed-'
const CONSUMER_STEP_FAULT = 'consumer-killed-'
const LATE_ANSWER_MS = 700
const READY_WITHIN_MS = 60_000
const LAST_PORT = 31_999
const STOP_WITHIN_MS = 15_000

/** All the processes of one run, and what stands between them. */
export interface Scene {
  readonly plan: RunPlan
  readonly folder: string
  readonly names: SceneNames
  readonly gateways: readonly Part[]
  readonly gatewayUrls: readonly string[]
  readonly consumers: Readonly<Record<ConsumerName, Part>>
  readonly front: OrdersFront
  /** Between gateways and broker; undefined when the broker is inside the gateway. */
  readonly gatewayLine: TcpProxy | undefined
  readonly consumerLine: TcpProxy
  readonly broker: SceneBroker
  readonly operator: BrokerOperator
  readonly disk: FullDisk | undefined
  /** How many orders the order service has, and how many the ledger has heard of. */
  storedOrders(): number
  announcedOrders(): number
  /** Sets the time of day of the gateways' machine, for those that are started later too. */
  setClock(byMs: number): void
  /** Ends all gateways at once, and with them, where that is ordered, what their disk did not have yet. */
  cutPower(): Promise<void>
  /** Names of the faults that have come about. */
  readonly fired: Set<string>
  /** Processes that ended by themselves, with an error. */
  readonly crashes: readonly string[]
  /** Where each party keeps its data. */
  readonly storage: (party: ConsumerName | 'outbox') => string
  /** Each ends its processes gracefully, and resolves with those that did not end as they should. */
  stopGateways(): Promise<readonly string[]>
  stopConsumers(): Promise<readonly string[]>
  /** Ends what is left, and deletes the folder unless it is wanted. */
  close(keep: boolean): Promise<void>
}

/** What is broken on purpose, to see the checker find it. */
export interface SceneSabotage {
  readonly gateway?: Sabotage
  readonly memoryOutbox?: boolean
  /** A power cut takes what was written to the outbox since it was opened. */
  readonly unsyncedOutbox?: boolean
  readonly noInbox?: boolean
}

/** The broker as faults see it. */
export interface SceneBroker {
  readonly url: string
  kill(): Promise<void>
  start(): Promise<void>
  alarm(on: boolean): Promise<void>
}

export interface SceneOptions {
  readonly folder: string
  /** What is put before every name on the broker. */
  readonly name: string
  readonly node?: RabbitMqNode | undefined
  readonly sabotage?: SceneSabotage
}

/** Starts everything and waits until all of it is ready. */
export async function openScene(plan: RunPlan, options: SceneOptions): Promise<Scene> {
  const { folder, name, sabotage = {} } = options
  const chance = createChance(plan.seed ^ 0x5ce4e)
  const names = nameScene(name)
  const fired = new Set<string>()
  const crashes: string[] = []
  let time: SceneTime = { speed: SPEED, startedAtMs: Date.now(), offsetMs: 0 }
  for (const place of ['outbox', 'data']) mkdirSync(join(folder, place), { recursive: true })
  const has = (fault: string) => plan.faults.some(({ name }) => name === fault)
  const disk = has('outbox-disk-full') ? mountSmallDisk(join(folder, 'outbox')) : undefined
  const storage = (party: ConsumerName | 'outbox') =>
    join(folder, party === 'outbox' ? 'outbox/outbox.db' : `data/${party}.db`)

  const brokerPort = options.node && plan.broker === 'rabbitmq' ? options.node.port : await freePort()
  const { broker, part: brokerPart } = sceneBroker(plan, options, brokerPort)
  await brokerPart?.ready(READY_WITHIN_MS)
  const gatewayLine = plan.broker === 'inside' ? undefined : await startTcpProxy(brokerPort)
  const consumerLine = await startTcpProxy(brokerPort)
  const operator = createBrokerOperator(amqpUrl(brokerPort))
  const consumers = startConsumers()
  const front = await startOrdersFront({ target: () => consumers.orders.facts?.url, lateMs: LATE_ANSWER_MS })
  const ports = await Promise.all(
    Array.from({ length: plan.gateways }, async () => ({
      port: await freePort(),
      adminPort: await freePort(),
    })),
  )
  const config = join(folder, 'gateway.yaml')
  writeFileSync(
    config,
    gatewayConfig({
      broker: gatewayLine ? amqpUrl(gatewayLine.port) : insideBroker(),
      outbox: sabotage.memoryOutbox ? 'memory:' : `sqlite:${storage('outbox')}`,
      orders: front.url,
      exchange: names.exchange,
      subjectIsCustomer: plan.subjectIsCustomer,
    }),
  )
  const gateways = ports.map(({ port, adminPort }, index) => startGatewayPart(index, { port, adminPort }))
  const parts = [...gateways, ...Object.values(consumers)]
  try {
    await Promise.all(parts.map((part) => part.ready(READY_WITHIN_MS)))
    // Names are used again: what another run has left would be seen in this one, or take what is to be returned.
    await operator.deleteQueue(names.observer)
    if (plan.observed) await operator.observe(names.observer, names.exchange)
  } catch (error) {
    await close(true)
    throw error
  }

  /** Whatever ends by itself with an error has crashed, though it is started again and nobody may notice. */
  function take(name: string, fault: string, { life, code, signal, step, wasReady }: Death): void {
    if (step !== undefined) fired.add(fault + step)
    if (code === 0 || (signal !== undefined && ORDERED_SIGNALS.has(signal))) return
    // With a full disk or a broken broker it may be impossible to start; that is said, and tried again.
    if (!wasReady && plan.faults.length > 0) return
    crashes.push(`${name} crashed in its life ${life}: ${signal ?? `exit code ${code}`}`)
  }

  function insideBroker(): string {
    return `embedded:${brokerPort}?file=${join(folder, 'data/broker.db')}`
  }

  function restartAfterMs(): number {
    return chance.between(0, 150)
  }

  function startGatewayPart(index: number, address: Pick<GatewaySettings, 'port' | 'adminPort'>): Part {
    const deaths = plan.faults.filter((fault) => fault.name.startsWith(STEP_FAULT))
    return startPart({
      name: `gateway-${index + 1}`,
      folder,
      module: join(import.meta.dir, 'gateway-process.ts'),
      environment: { BUN_CONFIG_MAX_HTTP_REQUESTS: '16384' },
      settings(life): GatewaySettings {
        const due = index === 0 ? deaths[life - 1] : undefined
        const death = due && { step: due.name.slice(STEP_FAULT.length), occurrence: due.count }
        return { config, ...address, time, death, sabotage: sabotage.gateway }
      },
      // It may have been starting while the clock was set.
      onReady: () => tellTime(),
      onDeath: (death) => take(`gateway-${index + 1}`, STEP_FAULT, death),
      restartAfterMs,
    })
  }

  function startConsumers(): Record<ConsumerName, Part> {
    const death = plan.faults.find((fault) => fault.name.startsWith(CONSUMER_STEP_FAULT))
    const victim = CONSUMERS[Math.floor((death?.draw ?? 0) * CONSUMERS.length)]
    const start = (service: ConsumerName) =>
      startPart({
        name: service,
        folder,
        module: join(import.meta.dir, 'shop-process.ts'),
        settings(life): ShopSettings {
          const due = death && life === 1 && service === victim ? death : undefined
          return {
            service,
            amqpUrl: amqpUrl(consumerLine.port),
            exchange: names.exchange,
            queuePrefix: names.queuePrefix,
            database: storage(service),
            death: due && { step: due.name.slice(CONSUMER_STEP_FAULT.length), occurrence: due.count },
            noInbox: sabotage.noInbox === true && service === 'ledger',
          }
        },
        onDeath: (death) => take(service, CONSUMER_STEP_FAULT, death),
        restartAfterMs,
      })
    return {
      orders: start('orders'),
      inventory: start('inventory'),
      payments: start('payments'),
      ledger: start('ledger'),
    }
  }

  function tellTime(): void {
    for (const gateway of gateways) gateway.tell({ kind: 'set-clock', offsetMs: time.offsetMs })
  }

  function setClock(byMs: number): void {
    time = { ...time, offsetMs: time.offsetMs + byMs }
    tellTime()
  }

  async function cutPower(): Promise<void> {
    for (const gateway of gateways) gateway.hold()
    for (const gateway of gateways) gateway.signal('SIGKILL')
    while (gateways.some(({ pid }) => pid !== undefined)) await Bun.sleep(5)
    if (sabotage.unsyncedOutbox) rmSync(`${storage('outbox')}-wal`, { force: true })
    for (const gateway of gateways) gateway.release()
  }

  async function stop(who: readonly Part[]): Promise<readonly string[]> {
    const codes = await Promise.all(who.map((part) => part.stop(STOP_WITHIN_MS)))
    return who.flatMap(({ name }, index) =>
      codes[index] === 0 ? [] : [`${name} ended with ${codes[index] ?? 'SIGKILL'} when it was told to stop`],
    )
  }

  async function close(keep: boolean): Promise<void> {
    await Promise.all(parts.map((part) => part.stop(0)))
    await brokerPart?.stop(1_000)
    await Promise.all([gatewayLine?.close(), consumerLine.close(), front.close()])
    disk?.unmount()
    if (!keep) rmSync(folder, { recursive: true, force: true })
  }

  return {
    plan,
    folder,
    names,
    gateways,
    gatewayUrls: ports.map(({ port }) => `http://127.0.0.1:${port}`),
    consumers,
    front,
    gatewayLine,
    consumerLine,
    broker,
    operator,
    disk,
    fired,
    crashes,
    storage,
    storedOrders: () => countRows(storage('orders'), 'orders'),
    announcedOrders: () => countRows(storage('ledger'), 'effects'),
    setClock,
    cutPower,
    stopGateways: () => stop(gateways),
    stopConsumers: () => stop(Object.values(consumers)),
    close,
  }
}

/** The shared node, the embedded broker in a process of its own, or the one that lives and dies with the gateway. */
function sceneBroker({ broker }: RunPlan, { folder, node }: SceneOptions, port: number) {
  const url = amqpUrl(port)
  const nothing: SceneBroker = { url, async kill() {}, async start() {}, async alarm() {} }
  if (broker === 'inside') return { broker: nothing, part: undefined }
  if (broker === 'rabbitmq') {
    if (!node) throw new Error('A run on RabbitMQ needs a node')
    return { broker: { ...node, url }, part: undefined }
  }
  const part = startPart({
    name: 'broker',
    folder,
    module: join(import.meta.dir, 'broker-process.ts'),
    settings: () => ({ port, file: join(folder, 'data/broker.db') }),
    restartAfterMs: () => 0,
  })
  const embedded: SceneBroker = {
    url,
    async kill() {
      part.hold()
      part.signal('SIGKILL')
    },
    async start() {
      part.release()
      await part.ready(READY_WITHIN_MS)
    },
    async alarm() {},
  }
  return { broker: embedded, part }
}

function amqpUrl(port: number): string {
  return `amqp://guest:guest@127.0.0.1:${port}`
}

/** Ports that a scene of this process has or had, so that two that begin together take others. */
let nextPort = 20_000 + ((process.pid * 37) % 11_000)

/** Below the ports that the system gives to outgoing connections, which could otherwise take it while its part is down. */
async function freePort(): Promise<number> {
  for (;;) {
    const port = nextPort
    nextPort = nextPort >= LAST_PORT ? 20_000 : nextPort + 1
    const isFree = await new Promise<boolean>((resolve) => {
      const probe = createServer().once('error', () => resolve(false))
      probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(true)))
    })
    if (isFree) return port
  }
}
