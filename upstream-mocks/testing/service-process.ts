import { z } from 'zod'
import type { Step } from '../consumer/index.ts'
import { createInventory } from '../inventory/index.ts'
import { createOrders } from '../orders/index.ts'
import { createPayments } from '../payments/index.ts'
import { stopOnSignal } from '../service/launch.ts'
import { consoleLog } from '../service/log.ts'

/**
 * One service as a process of its own, told how to run by JSON in its only argument, with a moment to die at. It prints
 * its port once it listens.
 */
const CREATE = { inventory: createInventory, payments: createPayments, orders: createOrders }

const settings = z.strictObject({
  service: z.enum(['inventory', 'payments', 'orders']),
  data: z.string(),
  url: z.string(),
  exchange: z.string(),
  queuePrefix: z.string(),
  retriesMs: z.array(z.number()),
  delaysMs: z.array(z.number()),
  /** Dies, without any goodbye, when it comes to `step` for the `nth` time. */
  dieAt: z.strictObject({ step: z.string(), nth: z.int().positive() }).optional(),
})

/** What to run, and when to die. */
export type ServiceProcessSettings = Omit<z.output<typeof settings>, 'dieAt'> & {
  readonly dieAt?: { readonly step: Step; readonly nth: number } | undefined
}

const { service: name, data, dieAt, ...events } = settings.parse(JSON.parse(process.argv[2] ?? '{}'))
let met = 0
const service = CREATE[name]({
  port: 0,
  data,
  events,
  log: consoleLog,
  onStep(step) {
    if (step === dieAt?.step) met += 1
    if (met === dieAt?.nth) process.kill(process.pid, 'SIGKILL')
  },
})
service.start()
console.log(service.port)
stopOnSignal(() => service.stop())
