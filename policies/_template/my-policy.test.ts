import { describe, expect, test } from 'bun:test'
import { createTestGateway } from '../../tests/support/gateway.ts'
import policy from './index.ts'

const gatewayWith = (options: unknown) =>
  createTestGateway({ register: [policy], policies: [{ 'my-policy': options }] })

describe('my-policy', () => {
  test('tells the upstream a greeting', async () => {
    const gateway = await gatewayWith({ greeting: 'good morning' })
    const response = await gateway.fetch('/x/1')
    expect(response.status).toBe(200)
    expect(gateway.upstreamRequests[0]?.headers.get('x-greeting')).toBe('good morning')
  })

  test('refuses an option it does not know at load', async () => {
    const loading = gatewayWith({ greetings: 'hello' })
    expect(String(await loading.catch((error: unknown) => error))).toContain('did you mean "greeting"')
  })
})
