import { describe, expect, test } from 'bun:test'
import { OperationRefused, type Operations } from '../core/operations.ts'
import { createAdminApp } from './app.ts'
import type { AdminAccess } from './guard.ts'

const COUNTS = { parked: 1, unknown: 0, committed: 0, pending: 0 }
const PARKED = { id: 'a', state: 'parked', reason: 'returned' } as const
const LETTER = { id: 'l', deadLetterQueue: 'e.dead-letters', queue: 'q', bytes: 2, headers: {}, body: '{}' } as const

/** Notes what it was asked to do. */
function recordOperations() {
  const done: string[] = []
  const operations: Operations = {
    outbox: {
      list: async (wish) => {
        done.push(`list ${wish.state} ${wish.limit}`)
        return { counts: COUNTS, entries: [PARKED] }
      },
      show: async (id) => {
        if (id !== 'a') throw new OperationRefused('not-found', `The outbox has no entry "${id}"`)
        return PARKED
      },
      retry: async (id) => {
        done.push(`retry ${id}`)
        if (id !== 'a') throw new OperationRefused('wrong-state', `Cannot retry "${id}"`)
        return { ...PARKED, state: 'committed' }
      },
      retryAll: async () => ({ done: 1, refused: [] }),
      discard: async (id) => {
        done.push(`discard ${id}`)
      },
    },
    deadLetters: {
      list: async (limit) => {
        done.push(`letters ${limit}`)
        return { queues: [], letters: [] }
      },
      replay: async (id) => {
        done.push(`replay ${id}`)
        throw new OperationRefused('unavailable', 'Cannot reach the broker')
      },
      replayAll: async () => ({ done: 3, refused: [] }),
      show: async (id) => [{ ...LETTER, id }],
      discard: async (id) => {
        done.push(`discard letter ${id}`)
        return [LETTER]
      },
    },
  }
  return { done, operations }
}

function appWith(access: Partial<AdminAccess> = {}, announces = true) {
  const { done, operations } = recordOperations()
  const app = createAdminApp({
    accepting: () => true,
    dependencies: async () => [],
    metrics: async () => ({ contentType: 'text/plain', text: '' }),
    operations: announces ? operations : undefined,
    compensations: undefined,
    access: { host: '127.0.0.1', ...access },
  })
  const ask = (target: string, init: RequestInit = {}) =>
    app.request(`http://gateway.test${target}`, { ...init, headers: { host: '127.0.0.1:8788', ...init.headers } })
  const write = (target: string, headers: Record<string, string> = {}) =>
    ask(target, { method: 'POST', headers: { 'content-type': 'application/json', ...headers } })
  return { done, ask, write }
}

describe('the admin listener, asked by an operator', () => {
  test('lists the outbox, of one state and up to a number', async () => {
    const { ask, done } = appWith()
    const response = await ask('/_sluice/outbox?state=parked&limit=7')
    expect(await response.json()).toEqual({ counts: COUNTS, entries: [PARKED] })
    await ask('/_sluice/outbox')
    await ask('/_sluice/dead-letters?limit=1000')
    expect(done).toEqual(['list parked 7', 'list undefined 50', 'letters 1000'])
  })

  test('shows, retries, discards and replays one', async () => {
    const { ask, write, done } = appWith()
    expect(await (await ask('/_sluice/outbox/a')).json()).toEqual(PARKED)
    expect(await (await write('/_sluice/outbox/a/retry')).json()).toMatchObject({ state: 'committed' })
    expect(await (await write('/_sluice/outbox/a/discard')).json()).toEqual({ id: 'a', state: 'discarded' })
    expect(await (await write('/_sluice/outbox/retry')).json()).toEqual({ done: 1, refused: [] })
    expect(await (await write('/_sluice/dead-letters/replay')).json()).toEqual({ done: 3, refused: [] })
    expect(await (await ask('/_sluice/dead-letters/l')).json()).toEqual([LETTER])
    expect(await (await write('/_sluice/dead-letters/l/discard')).json()).toEqual([LETTER])
    expect(done).toEqual(['retry a', 'discard a', 'discard letter l'])
  })

  test.each([
    {
      name: 'an entry that is not there',
      target: '/_sluice/outbox/b',
      status: 404,
      error: 'The outbox has no entry "b"',
    },
    { name: 'an unknown state', target: '/_sluice/outbox?state=parkd', status: 400, error: '"parkd" is no state' },
    { name: 'a limit of nothing', target: '/_sluice/outbox?limit=0', status: 400, error: 'limit must be' },
    { name: 'a limit without end', target: '/_sluice/dead-letters?limit=1001', status: 400, error: 'limit must be' },
  ])('says what is wrong with $name', async ({ target, status, error }) => {
    const response = await appWith().ask(target)
    expect(response.status).toBe(status)
    expect(((await response.json()) as { error: string }).error).toContain(error)
  })

  test('says why something was not done', async () => {
    const { write } = appWith()
    const statuses = [await write('/_sluice/outbox/b/retry'), await write('/_sluice/dead-letters/b/replay')].map(
      ({ status }) => status,
    )
    expect(statuses).toEqual([409, 503])
  })

  test('says that there is nothing where no event is announced', async () => {
    const { ask, write } = appWith({}, false)
    for (const response of [
      await ask('/_sluice/outbox'),
      await ask('/_sluice/outbox/a'),
      await write('/_sluice/dead-letters/replay'),
    ]) {
      expect(response.status).toBe(404)
      expect(await response.json()).toEqual({ error: 'This gateway announces no events: there is no outbox' })
    }
  })
})

describe('the admin listener refuses', () => {
  const everything = ['/_sluice/outbox', '/_sluice/outbox/a', '/_sluice/dead-letters', '/_sluice/dead-letters/a']
  const writes = [
    '/_sluice/outbox/a/retry',
    '/_sluice/outbox/a/discard',
    '/_sluice/outbox/retry',
    '/_sluice/dead-letters/a/replay',
    '/_sluice/dead-letters/a/discard',
  ]

  test.each([
    { name: 'a script of another site', headers: { origin: 'https://evil.test' } },
    { name: 'a page that is not allowed to say where it comes from', headers: { origin: 'null' } },
    { name: 'a link or an image on another site', headers: { 'sec-fetch-site': 'cross-site' } },
    { name: 'a page of this machine on another port', headers: { 'sec-fetch-site': 'same-site' } },
    {
      name: 'a name that was rebound to 127.0.0.1',
      headers: { host: 'evil.test:8788', 'sec-fetch-site': 'same-origin' },
    },
    { name: 'such a name from a browser that says nothing of itself', headers: { host: 'evil.test:8788' } },
    { name: 'a name that begins like an address of this machine', headers: { host: '127.0.0.1.evil.test' } },
    { name: 'no Host at all', headers: { host: '' } },
  ])('$name, to look as to write', async ({ headers }) => {
    const { ask, write, done } = appWith()
    for (const target of everything) expect((await ask(target, { headers })).status, target).toBe(403)
    for (const target of writes) expect((await write(target, headers)).status, target).toBe(403)
    expect(done).toEqual([])
  })

  test.each([
    { name: 'a form', type: 'application/x-www-form-urlencoded' },
    { name: 'a form with files', type: 'multipart/form-data; boundary=x' },
    { name: 'text that only looks like JSON', type: 'text/plain' },
    { name: 'a type that only begins like JSON', type: 'application/jsonp-like' },
    { name: 'a sequence of JSON', type: 'application/json-seq' },
  ])('a write as $name', async ({ type }) => {
    const { write, done } = appWith()
    const statuses = await Promise.all(
      writes.map(async (target) => (await write(target, { 'content-type': type })).status),
    )
    expect(new Set(statuses)).toEqual(new Set([415]))
    expect(done).toEqual([])
  })

  test('a write without a type, and preflights', async () => {
    const { ask, done } = appWith()
    expect((await ask('/_sluice/outbox/a/retry', { method: 'POST' })).status).toBe(415)
    const preflight = await ask('/_sluice/outbox/a/retry', {
      method: 'OPTIONS',
      headers: { origin: 'https://evil.test', 'access-control-request-method': 'POST' },
    })
    expect(preflight.status).toBe(403)
    expect([...preflight.headers.keys()].filter((name) => name.startsWith('access-control-'))).toEqual([])
    expect(done).toEqual([])
  })

  test('a write by GET', async () => {
    const { ask, done } = appWith()
    for (const target of writes) expect((await ask(target)).status, target).toBe(404)
    expect(done).toEqual([])
  })

  test('everybody when it listens beyond this machine without a token, but tells its health', async () => {
    const { ask, write, done } = appWith({ host: '0.0.0.0' })
    expect((await ask('/_sluice/outbox')).status).toBe(403)
    expect(await (await write('/_sluice/outbox/a/retry')).json()).toMatchObject({
      error: expect.stringContaining('set server.admin.token'),
    })
    expect((await ask('/_sluice/health', { headers: { host: 'pod.internal' } })).status).toBe(200)
    expect(done).toEqual([])
  })
})

describe('the admin listener with a token', () => {
  const token = 'a-token-of-at-least-16'
  const { ask, write, done } = appWith({ host: '0.0.0.0', token })
  const bearer = { authorization: `Bearer ${token}`, host: 'gateway-1.internal:8788' }

  test('answers under any name to whoever has it', async () => {
    expect((await ask('/_sluice/outbox', { headers: bearer })).status).toBe(200)
    expect((await write('/_sluice/outbox/a/retry', bearer)).status).toBe(200)
    expect(done).toEqual(['list undefined 50', 'retry a'])
  })

  test.each([
    { name: 'nothing', headers: {} },
    { name: 'another token', headers: { authorization: 'Bearer a-token-of-at-least-17' } },
    { name: 'the beginning of it', headers: { authorization: 'Bearer a-token-of-at-leas' } },
    { name: 'it as a password', headers: { authorization: `Basic ${token}` } },
  ])('answers 401 to $name, on the loopback too', async ({ headers }) => {
    const response = await ask('/_sluice/outbox', { headers })
    expect(response.status).toBe(401)
    expect(response.headers.get('www-authenticate')).toBe('Bearer')
  })

  test('answers no page of a browser, token or not', async () => {
    expect((await write('/_sluice/outbox/a/retry', { ...bearer, origin: 'https://gateway-1.internal' })).status).toBe(
      403,
    )
  })
})
