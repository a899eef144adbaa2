import { expect, test } from 'bun:test'
import { createTestGateway } from '../../tests/support/gateway.ts'

test('idempotency around the policy that establishes the caller is refused at load', async () => {
  const apiKey = { 'api-key': { clients: { partner: { keys: [`sha256:${'a'.repeat(64)}`] } } } }
  const loading = createTestGateway({ policies: [{ idempotency: {} }, apiKey] })
  expect(String(await loading.catch((error: unknown) => error))).toContain('"api-key" stands inside "idempotency"')
  expect(await createTestGateway({ policies: [apiKey, { idempotency: {} }] })).toBeDefined()
})
