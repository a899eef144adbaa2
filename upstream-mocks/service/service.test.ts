import { describe, expect, test } from 'bun:test'
import { createPromotions } from '../promotions/index.ts'
import { json } from '../testing/requests.ts'
import { MAX_BODY_BYTES } from './service.ts'

const HARMLESS = { latencyMs: 0, errorRate: 0, status: 503, hang: false }

describe('every service', () => {
  test('answers its health', async () => {
    const response = await createPromotions().app.request('/health')
    expect(response.status).toBe(200)
    expect(await response.json()).toEqual({ status: 'ok', service: 'promotions' })
  })

  test('says as a problem that nothing is at an unknown path', async () => {
    const response = await createPromotions().app.request('/nothing')
    expect(response.status).toBe(404)
    expect(response.headers.get('content-type')).toBe('application/problem+json')
    expect(await response.json()).toMatchObject({ type: 'urn:shop:problem:path-not-found', status: 404 })
  })

  test('refuses a body over the limit and takes one at the limit', async () => {
    const { app } = createPromotions()
    const padded = (bytes: number) => ({ method: 'PUT', body: '{}'.padEnd(bytes) })
    expect((await app.request('/_faults', padded(MAX_BODY_BYTES))).status).toBe(200)
    expect((await app.request('/_faults', padded(MAX_BODY_BYTES + 1))).status).toBe(413)
  })

  test('refuses a body over the limit that came without a length', async () => {
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        controller.enqueue(new Uint8Array(MAX_BODY_BYTES))
        controller.enqueue(new Uint8Array(1))
        controller.close()
      },
    })
    const response = await createPromotions().app.request('/_faults', { method: 'PUT', body })
    expect(response.status).toBe(413)
  })
})

/** Lets a healthy service answer the same call ten times, so that one asked before it has had its chance. */
async function enoughForAnAnswer(): Promise<void> {
  const { app } = createPromotions()
  for (let i = 0; i < 10; i += 1) await app.request('/promotions')
}

describe('faults', () => {
  test('are harmless at first and shown as set', async () => {
    const { app } = createPromotions()
    expect(await (await app.request('/_faults')).json()).toEqual(HARMLESS)
    const set = await app.request('/_faults', json('PUT', { errorRate: 0.5, status: 500 }))
    expect(await set.json()).toEqual({ ...HARMLESS, errorRate: 0.5, status: 500 })
    expect(await (await app.request('/_faults')).json()).toEqual({ ...HARMLESS, errorRate: 0.5, status: 500 })
  })

  test('fall back to harmless for every field a later PUT leaves out', async () => {
    const { app } = createPromotions()
    await app.request('/_faults', json('PUT', { errorRate: 1 }))
    await app.request('/_faults', json('PUT', {}))
    expect((await app.request('/promotions')).status).toBe(200)
  })

  const nonsense = [
    { name: 'an unknown field', body: '{"latency":5}', says: 'latency' },
    { name: 'a negative latency', body: '{"latencyMs":-1}', says: 'latencyMs' },
    { name: 'a latency of an hour', body: '{"latencyMs":3600000}', says: 'latencyMs' },
    { name: 'a rate over 1', body: '{"errorRate":50}', says: 'errorRate' },
    { name: 'a status that is no error', body: '{"status":200}', says: 'status' },
    { name: 'a hang that is a word', body: '{"hang":"yes"}', says: 'hang' },
    { name: 'an array', body: '[]', says: 'expected object' },
    { name: 'no JSON at all', body: 'hang=true', says: 'not JSON' },
    { name: 'nothing', body: '', says: 'not JSON' },
  ]
  test.each(nonsense)('refuse $name and change nothing', async ({ body, says }) => {
    const { app } = createPromotions()
    const response = await app.request('/_faults', { method: 'PUT', body })
    expect(response.status).toBe(400)
    expect(((await response.json()) as { detail: string }).detail).toContain(says)
    expect(await (await app.request('/_faults')).json()).toEqual(HARMLESS)
  })

  test('fail as many calls as the rate says, with the status asked for', async () => {
    const chances = [0.29, 0.3, 0.99]
    const { app } = createPromotions({ random: () => chances.shift() ?? 0 })
    await app.request('/_faults', json('PUT', { errorRate: 0.3, status: 500 }))
    const statuses = []
    for (let i = 0; i < 3; i += 1) statuses.push((await app.request('/promotions')).status)
    expect(statuses).toEqual([500, 200, 200])
  })

  test('wait before the answer', async () => {
    const waits: number[] = []
    const { app } = createPromotions({ sleep: async (durationMs) => void waits.push(durationMs) })
    await app.request('/_faults', json('PUT', { latencyMs: 250 }))
    expect((await app.request('/promotions')).status).toBe(200)
    expect(waits).toEqual([250])
  })

  test('leave health and themselves alone', async () => {
    const { app } = createPromotions()
    await app.request('/_faults', json('PUT', { errorRate: 1, hang: true }))
    expect((await app.request('/health')).status).toBe(200)
    expect((await app.request('/_faults')).status).toBe(200)
  })

  test('hang a call until the service is healed', async () => {
    const { app } = createPromotions()
    await app.request('/_faults', json('PUT', { hang: true }))
    let answered = false
    const call = Promise.resolve(app.request('/promotions')).finally(() => {
      answered = true
    })
    await enoughForAnAnswer()
    expect(answered).toBe(false)
    await app.request('/_faults', json('PUT', {}))
    expect((await call).status).toBe(200)
  })

  test('let go of a hanging call whose caller left', async () => {
    const { app } = createPromotions()
    await app.request('/_faults', json('PUT', { hang: true }))
    const caller = new AbortController()
    let letGo = false
    const call = Promise.resolve(app.request(new Request('http://shop/promotions', { signal: caller.signal }))).finally(
      () => {
        letGo = true
      },
    )
    await enoughForAnAnswer()
    expect(letGo).toBe(false)
    caller.abort()
    await call
    expect(letGo).toBe(true)
  })
})
