import { describe, expect, test } from 'bun:test'
import { createTestGateway } from '../../tests/support/gateway.ts'

const SCHEMA = { type: 'object', properties: { id: { type: 'string' } }, required: ['id'] }

const withSchema = (schema: unknown, order: unknown, type = 'order.placed') =>
  createTestGateway({
    policies: [{ publish: { type, exchange: 'shop.events' } }],
    upstream: () => Response.json(order, { status: 201 }),
    environment: {
      variable: () => undefined,
      file: (path) => (path === 'events/order.placed.schema.json' ? JSON.stringify(schema) : undefined),
    },
  })

describe('publish, of a type that has a schema', () => {
  test('announces data that fits', async () => {
    const gateway = await withSchema(SCHEMA, { id: 'o-1' })
    await gateway.fetch('/x/1', { method: 'POST' })
    expect(gateway.events[0]).toMatchObject({ outcome: 'committed', event: { data: { id: 'o-1' } } })
  })

  test('names the schema that has an id', async () => {
    const gateway = await withSchema({ ...SCHEMA, $id: 'https://shop.example/order.placed.json' }, { id: 'o-1' })
    await gateway.fetch('/x/1', { method: 'POST' })
    expect(gateway.events[0]).toMatchObject({ event: { dataschema: 'https://shop.example/order.placed.json' } })
  })

  test('parks data that does not fit, with the event and the reason, and answers what the upstream did', async () => {
    const gateway = await withSchema(SCHEMA, { id: 7 })
    const response = await gateway.fetch('/x/1', { method: 'POST' })
    expect([response.status, await response.json()]).toEqual([201, { id: 7 }])
    const reason =
      'the data does not fit events/order.placed.schema.json: id: Invalid input: expected string, received number'
    const address = { exchange: 'shop.events', routingKey: 'order.placed' }
    expect(gateway.events[0]).toMatchObject({ outcome: 'withheld', reason, event: { data: { id: 7 } }, address })
    const line = gateway.lines.find(({ message }) => message === 'Parked an event')
    expect(line).toMatchObject({ level: 'error', facts: { route: 'route', type: 'order.placed', reason } })
    expect(gateway.records[0]).toMatchObject({ policies: { publish: { outcome: 'withheld' } } })
  })

  test('checks nothing of other types', async () => {
    const gateway = await withSchema(SCHEMA, { id: 7 }, 'order.shipped')
    await gateway.fetch('/x/1', { method: 'POST' })
    expect(gateway.events[0]?.outcome).toBe('committed')
  })

  test('is refused at load when its schema cannot be used', async () => {
    const loading = withSchema({ type: 'object', requird: ['id'] }, {})
    expect(String(await loading.catch((error: unknown) => error))).toContain(
      'publish.type  events/order.placed.schema.json cannot be used: #: "requird" is not checked',
    )
  })
})
