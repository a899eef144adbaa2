import { createAmqpBroker } from '../broker/amqp-broker.ts'
import { consoleLog, reasonOf } from './log.ts'
import type { Service, ServiceOptions } from './service.ts'

/** Runs one service by itself until SIGINT or SIGTERM, with `PORT` and `AMQP_URL` from the environment. */
export async function launch(
  name: string,
  create: (options: ServiceOptions) => Service | Promise<Service>,
): Promise<void> {
  const { PORT, AMQP_URL } = process.env
  try {
    const service = await create({
      log: consoleLog,
      ...(PORT ? { port: parsePort(PORT) } : {}),
      ...(AMQP_URL ? { broker: createAmqpBroker({ url: AMQP_URL, name, log: consoleLog }) } : {}),
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
