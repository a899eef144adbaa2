import { describe, expect, test } from 'bun:test'
import { createMemoryStore } from '../../gateway/services/store/memory-store.ts'
import { createTestGateway } from '../../tests/support/gateway.ts'
import { createVirtualClock } from '../../tests/support/virtual-clock.ts'

const post = (key: string, headers: Record<string, string> = {}): RequestInit => ({
  method: 'POST',
  body: '{}',
  headers: { 'idempotency-key': key, ...headers },
})

describe('a caller who uses up keys', () => {
  const withRoomFor = (maximumEntries: number) =>
    createTestGateway({
      policies: ['idempotency'],
      services: { store: createMemoryStore({ clock: createVirtualClock(), maximumEntries }) },
    })

  test('is refused when it holds as much as it leaves to others, who are served', async () => {
    const gateway = await withRoomFor(10)
    const send = async (i: number, ip: string) => (await gateway.fetch('/x/1', post(`k${i}`), { ip })).status
    for (let i = 0; i < 5; i++) expect(await send(i, '192.0.2.1')).toBe(200)
    expect(await send(5, '192.0.2.1')).toBe(503)
    expect(await send(0, '192.0.2.2')).toBe(200)
    expect(gateway.records.at(-2)).toMatchObject({
      policies: { idempotency: { cause: expect.stringContaining('no more room for this caller') } },
    })
  })

  test('still gets the answers it has', async () => {
    const gateway = await withRoomFor(2)
    const send = (key: string) => gateway.fetch('/x/1', post(key), { ip: '192.0.2.1' })
    await send('a')
    expect((await send('b')).status).toBe(503)
    expect((await send('a')).headers.get('idempotent-replayed')).toBe('true')
  })

  test('is one caller in all of its IPv6 network, though each address has its own keys', async () => {
    const gateway = await withRoomFor(10)
    const send = (i: number) => gateway.fetch('/x/1', post('k'), { ip: `2001:db8:1:2::${i}` })
    for (let i = 1; i <= 5; i++) expect((await send(i)).headers.has('idempotent-replayed')).toBe(false)
    expect((await send(6)).status).toBe(503)
    expect((await gateway.fetch('/x/1', post('k'), { ip: '2001:db8:1:3::1' })).status).toBe(200)
  })
})

describe('a script of another site', () => {
  const origin = 'https://shop.example'
  const gatewayWith = (expose: string[]) =>
    createTestGateway({ policies: [{ cors: { origins: [origin], expose } }, 'idempotency'] })

  test('may read that an answer is repeated', async () => {
    const gateway = await gatewayWith(['x-total'])
    const first = await gateway.fetch('/x/1', post('k', { origin }))
    expect(first.headers.get('access-control-expose-headers')).toBe('x-total')
    const again = await gateway.fetch('/x/1', post('k', { origin }))
    expect(again.headers.get('idempotent-replayed')).toBe('true')
    expect(again.headers.get('access-control-expose-headers')).toBe('x-total, idempotent-replayed')
  })

  test('may read so although nothing else is exposed', async () => {
    const gateway = await gatewayWith([])
    await gateway.fetch('/x/1', post('k', { origin }))
    const again = await gateway.fetch('/x/1', post('k', { origin }))
    expect(again.headers.get('access-control-expose-headers')).toBe('idempotent-replayed')
  })
})
