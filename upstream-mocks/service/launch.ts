import type { EventServiceOptions } from './event-service.ts'
import { consoleLog, reasonOf } from './log.ts'
import type { Service } from './service.ts'

/** Where the shop keeps its state unless `SHOP_DATA` says otherwise. */
export const USUAL_DATA = '.data/shop'

/** Runs one service by itself until SIGINT or SIGTERM, with `PORT`, `AMQP_URL` and `SHOP_DATA` from the environment. */
export async function launch(
  name: string,
  create: (options: EventServiceOptions) => Service | Promise<Service>,
): Promise<void> {
  const { PORT, AMQP_URL, SHOP_DATA } = process.env
  try {
    const service = await create({
      log: consoleLog,
      data: SHOP_DATA || USUAL_DATA,
      ...(PORT ? { port: parsePort(PORT) } : {}),
      ...(AMQP_URL ? { events: { url: AMQP_URL } } : {}),
    })
    service.start()
    console.log(
      `${name} answers on http://127.0.0.1:${service.port}${AMQP_URL ? '' : ', without events (no AMQP_URL)'}`,
    )
    stopOnSignal(() => service.stop())
  } catch (error) {
    console.error(reasonOf(error))
    process.exit(1)
  }
}

function parsePort(text: string): number {
  const port = Number(text)
  if (Number.isInteger(port) && port >= 0 && port <= 65_535) return port
  throw new RangeError(`PORT is "${text}": give a number from 0 to 65535`)
}

/** Calls `stop` at the first SIGINT or SIGTERM, then ends the process with code 0. */
export function stopOnSignal(stop: () => Promise<void>): void {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => void stop().finally(() => process.exit(0)))
  }
}
