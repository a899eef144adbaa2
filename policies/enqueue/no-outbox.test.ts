import { expect, test } from 'bun:test'
import { unavailableEvents } from '../../gateway/runtimes/workers/unavailable-events.ts'
import { createTestGateway } from '../../tests/support/gateway.ts'

test('commands are refused, and so are questions about them, where there is no outbox to keep them in', async () => {
  const enqueue = { type: 'order.requested', exchange: 'shop.commands', 'status-path': '/commands/{command.id}' }
  const config = JSON.stringify({
    version: 1,
    routes: {
      request: { path: '/orders', methods: ['POST'], policies: [{ enqueue }] },
      command: { path: '/commands/:id', policies: ['command-status'] },
    },
  })
  const gateway = await createTestGateway({ config, services: { events: unavailableEvents } })
  for (const headers of [{}, { 'idempotency-key': 'k-1' }]) {
    expect((await gateway.fetch('/orders', { method: 'POST', body: '{}', headers })).status).toBe(501)
  }
  const response = await gateway.fetch('/commands/command-1')
  expect(response.status).toBe(501)
  expect(await response.json()).toMatchObject({ type: 'urn:sluice:problem:not-implemented' })
})
