import type { BrokerKind } from './catalogue.ts'
import type { PlannedFault, RunPlan } from './plan.ts'
import type { RunOptions, RunResult } from './run.ts'
import type { Scene } from './scene.ts'

/** A case that is always run, as it stands in a list of what breaks event pipelines. */
export interface Row {
  readonly name: string
  readonly what: string
  readonly plan: RunPlan
  readonly during?: NonNullable<RunOptions['during']>
  /** What has to be so besides right books; says what is not. */
  readonly expects?: (result: RunResult) => string | undefined
}

/** How much of everything: what fits into a minute, or what convinces. */
export type Scale = 'bounded' | 'full'

/** The rows at this scale, for the brokers that there are. */
export function rowsAt(scale: Scale, brokers: readonly BrokerKind[], without: ReadonlySet<string>): readonly Row[] {
  const isFull = scale === 'full'
  const many = (bounded: number, full: number) => (isFull ? full : bounded)
  const rows: readonly Row[] = [
    {
      name: 'EV-01',
      what: 'every order takes effect once in both of its queues when nothing happens',
      plan: plan({ orders: many(400, 10_000), customers: 32 }),
    },
    {
      name: 'EV-02',
      what: 'a gateway killed again and again loses no accepted order',
      plan: plan({ orders: many(150, 4_000), customers: 8 }),
      during: killEvery(150, many(4, 200)),
    },
    {
      name: 'EV-03',
      what: 'an order whose gateway died before it answered is one order, asked again with its key',
      plan: plan({ orders: 60, faults: [fault('gateway-killed-during-upstream-call', 10)] }),
    },
    {
      name: 'EV-04',
      what: 'a broker killed in the middle of publishing loses nothing it has confirmed',
      plan: plan({ orders: many(100, 600), faults: [fault('broker-killed', 30)] }),
    },
    {
      name: 'EV-04 on RabbitMQ',
      what: 'a RabbitMQ killed in the middle of publishing loses nothing it has confirmed',
      plan: plan({ broker: 'rabbitmq', orders: many(100, 600), faults: [fault('broker-killed', 30)] }),
    },
    {
      name: 'EV-07',
      what: 'a connection cut in the middle of a frame loses nothing',
      plan: plan({ orders: many(100, 600), faults: [fault('line-cut', 30)] }),
    },
    {
      name: 'EV-09',
      what: 'orders are taken while RabbitMQ blocks its publishers, and announced after',
      plan: plan({ broker: 'rabbitmq', orders: many(150, 600), faults: [fault('broker-alarm', 20)] }),
      expects: neverRefused,
    },
    {
      name: 'EV-11',
      what: 'a full disk under the outbox refuses orders with 503 and loses none',
      plan: plan({ orders: many(150, 400), faults: [fault('outbox-disk-full', 20)] }),
      expects: ({ answers }) => (answers['503'] ? undefined : 'no order was refused with 503: the disk was never full'),
    },
    {
      name: 'EV-23',
      what: 'orders are taken while the broker is away, and announced after',
      plan: plan({ orders: many(200, 1_500), customers: 16 }),
      during: cutLine(many(1_000, 15_000)),
      expects: neverRefused,
    },
    {
      name: 'OPS-02',
      what: 'a gateway that is told to stop under load finishes what it has taken, and ends with 0',
      plan: plan({ orders: 120, faults: [fault('gateway-stopped', 40)] }),
    },
    {
      name: 'OPS-03',
      what: `a gateway that was killed under load serves again${isFull ? ' within 3 s' : ''}, and its outbox goes on`,
      plan: plan({ orders: 120, faults: [fault('gateway-killed', 40)] }),
      // How long a start takes says nothing where all the suites run at once.
      expects: ({ slowestStartMs }) =>
        isFull && slowestStartMs > 3_000 ? `it took ${slowestStartMs} ms to serve again` : undefined,
    },
    {
      name: 'CON-15',
      what: 'stock and payments add up after everything at once',
      plan: plan({
        gateways: 2,
        orders: many(200, 3_000),
        customers: 12,
        faults: [
          fault('relay-frozen', 20),
          fault('line-silent', 40),
          fault('consumer-killed', 60),
          fault('orders-reset', 80),
          fault('clock-back', 100),
          fault('consumer-cut', 120),
          fault('orders-killed', 140),
          fault('gateway-killed', 160),
        ],
      }),
    },
  ]
  return rows.filter(({ plan }) => brokers.includes(plan.broker) && !plan.faults.some(({ name }) => without.has(name)))
}

function plan(wanted: Partial<RunPlan>): RunPlan {
  const faults = wanted.faults ?? []
  const broker = wanted.broker ?? 'embedded'
  const breaksNode = broker === 'rabbitmq' && faults.length > 0
  const usual = { seed: 1, gateways: 1, orders: 100, customers: 8, subjectIsCustomer: true, observed: true } as const
  return { ...usual, ...wanted, broker, faults, breaksNode }
}

function fault(name: string, afterOrders: number): PlannedFault {
  return { name, afterOrders, lastsMs: 600, count: 5, draw: 0.4 }
}

function killEvery(pauseMs: number, times: number): (scene: Scene) => Promise<void> {
  return async ({ gateways: [gateway] }) => {
    for (let i = 0; i < times; i++) {
      await gateway?.ready(60_000)
      await Bun.sleep(pauseMs)
      gateway?.signal('SIGKILL')
      while (gateway?.facts) await Bun.sleep(5)
    }
  }
}

function cutLine(forMs: number): (scene: Scene) => Promise<void> {
  return async ({ gatewayLine }) => {
    gatewayLine?.cut()
    await Bun.sleep(forMs)
    gatewayLine?.resume()
  }
}

/** Whatever is wrong with the broker, no order is refused for it. */
function neverRefused({ answers }: RunResult): string | undefined {
  return answers['503'] === undefined ? undefined : `clients saw ${JSON.stringify(answers)}`
}
