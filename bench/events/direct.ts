import { AMQPClient } from '@cloudamqp/amqp-client'

/**
 * What publishing costs without an outbox: `basicPublish` with confirms, as many in flight as the relay has. Takes
 * AMQP_URL, EXCHANGE and COUNT from the environment and prints how long it took and what processor time it used.
 */
const IN_FLIGHT = 256
const { AMQP_URL = '', EXCHANGE = '', COUNT } = process.env
const count = Number(COUNT)
const body = JSON.stringify({ id: '0123456789abcdef', status: 'pending', items: [{ sku: 'MUG-001', quantity: 2 }] })

const client = new AMQPClient(AMQP_URL)
await client.connect()
const channel = await client.channel()
await channel.confirmSelect()
const properties = { deliveryMode: 2, contentType: 'application/json', type: 'order.placed' }

let sent = 0
async function publishInTurn(): Promise<void> {
  while (sent < count) {
    const messageId = String(sent++)
    await channel.basicPublish(EXCHANGE, 'order.placed', body, { ...properties, messageId }, true)
  }
}

const cpuBefore = process.cpuUsage()
const startedAt = performance.now()
await Promise.all(Array.from({ length: IN_FLIGHT }, publishInTurn))
const durationMs = performance.now() - startedAt
const { user, system } = process.cpuUsage(cpuBefore)
console.log(JSON.stringify({ durationMs, cpuMs: (user + system) / 1_000 }))
await client.close()
