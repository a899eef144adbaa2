import { startShop } from './index.ts'
import { stopOnSignal, USUAL_DATA } from './service/launch.ts'
import { consoleLog, reasonOf } from './service/log.ts'

const amqpUrl = process.env.AMQP_URL || undefined
const data = process.env.SHOP_DATA || USUAL_DATA

try {
  const shop = await startShop({ log: consoleLog, data, ...(amqpUrl === undefined ? {} : { amqpUrl }) })
  for (const [name, port] of Object.entries(shop.ports)) console.log(`${name.padEnd(16)} http://127.0.0.1:${port}`)
  console.log(
    amqpUrl
      ? 'Order events come from AMQP_URL'
      : 'No AMQP_URL: orders stay pending, because inventory, payments and orders hear no events',
  )
  stopOnSignal(() => shop.stop())
} catch (error) {
  console.error(`The shop cannot start: ${reasonOf(error)}`)
  process.exit(1)
}
