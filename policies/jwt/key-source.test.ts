import { beforeAll, beforeEach, describe, expect, test } from 'bun:test'
import { type RecordedTelemetry, recordTelemetry } from '../../tests/support/recorded-telemetry.ts'
import { createVirtualClock, type VirtualClock } from '../../tests/support/virtual-clock.ts'
import { type KeySource, type KeyUser, publishedKeys } from './key-source.ts'
import { createTestKey, JWKS_URL, publish, type ScriptedIssuer, scriptIssuer, type TestKey } from './test-issuer.ts'

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS

let first: TestKey
let second: TestKey
let clock: VirtualClock
let telemetry: RecordedTelemetry
let issuer: ScriptedIssuer
let source: KeySource
const user: KeyUser = { signal: new AbortController().signal, waitUntil: () => {} }

beforeAll(async () => {
  first = await createTestKey('ES256', 'first')
  second = await createTestKey('ES256', 'second')
})

beforeEach(() => {
  clock = createVirtualClock()
  telemetry = recordTelemetry()
  issuer = scriptIssuer([first.jwk])
  source = publishedKeys(
    { url: JWKS_URL, algorithms: ['ES256'], cacheForMs: 10 * MINUTE_MS, staleForMs: 24 * HOUR_MS, cooldownMs: 30_000 },
    { clock, fetch: issuer.fetch, log: telemetry.log },
  )
})

const kids = async () => (await source.keys(user)).keys.map(({ kid }) => kid)
const goDown = () => {
  issuer.answer = () => {
    throw new TypeError('connection refused')
  }
}

describe('keys of an issuer that answers', () => {
  test('are fetched when first needed and not before', async () => {
    expect(source.ready(user)).toBeUndefined()
    expect(issuer.requests).toHaveLength(0)
    expect(await kids()).toEqual(['first'])
    expect(issuer.requests.map(({ url }) => url)).toEqual([JWKS_URL])
  })

  test('are used without asking again until they are due', async () => {
    await kids()
    await clock.advance(7 * MINUTE_MS)
    expect(source.ready(user)?.keys).toHaveLength(1)
    expect(issuer.requests).toHaveLength(1)
  })

  test('are fetched anew in the background before they are too old', async () => {
    await kids()
    await clock.advance(8 * MINUTE_MS)
    const background: Promise<unknown>[] = []
    issuer.answer = () => publish([second.jwk])
    const set = source.ready({ ...user, waitUntil: (work) => void background.push(work) })
    expect(set?.keys[0]?.kid).toBe('first')
    expect(background).toHaveLength(1)
    await Promise.all(background)
    expect(source.ready(user)?.keys[0]?.kid).toBe('second')
  })

  test('are not used beyond their time when nobody asked for long, so that a removed key stops working', async () => {
    await kids()
    issuer.answer = () => publish([second.jwk])
    await clock.advance(2 * HOUR_MS)
    expect(await kids()).toEqual(['second'])
  })

  test('stay the same set when the issuer publishes them again', async () => {
    const before = await source.keys(user)
    await clock.advance(11 * MINUTE_MS)
    expect(await source.keys(user)).toBe(before)
    expect(issuer.requests).toHaveLength(2)
  })

  test('are fetched once for any number of requests at the same moment', async () => {
    let release = (_: Response) => {}
    issuer.answer = () => new Promise((resolve) => (release = resolve))
    const waiting = Array.from({ length: 20 }, () => kids())
    await clock.advance(50)
    expect(issuer.requests).toHaveLength(1)
    release(publish([first.jwk]))
    await clock.advance(20)
    expect(await Promise.all(waiting)).toEqual(Array.from({ length: 20 }, () => ['first']))
    expect(issuer.requests).toHaveLength(1)
  })

  test('are asked for without following redirects', async () => {
    await kids()
    expect(issuer.requests[0]?.init?.redirect).toBe('manual')
  })
})

describe('keys nobody knows', () => {
  test('make the source ask the issuer again, at once after a rotation', async () => {
    await kids()
    issuer.answer = () => publish([first.jwk, second.jwk])
    expect((await source.reconsidered(user)).keys).toHaveLength(2)
    expect(issuer.requests).toHaveLength(2)
  })

  test('make it ask once in the cooldown, however many there are', async () => {
    await kids()
    for (let i = 0; i < 1_000; i++) await source.reconsidered(user)
    expect(issuer.requests).toHaveLength(2)
    await clock.advance(30_000)
    await source.reconsidered(user)
    expect(issuer.requests).toHaveLength(3)
  })

  test('keep the keys at hand when the issuer is down', async () => {
    await kids()
    goDown()
    expect((await source.reconsidered(user)).keys[0]?.kid).toBe('first')
  })
})

describe('keys of an issuer that is down', () => {
  test('are used while they are not too stale', async () => {
    await kids()
    goDown()
    await clock.advance(23 * HOUR_MS)
    expect(await kids()).toEqual(['first'])
    expect(telemetry.lines.at(-1)).toMatchObject({
      message: 'jwt keys cannot be fetched',
      facts: { staleUsable: true },
    })
  })

  test('are asked for once in the cooldown, so that an outage slows few requests', async () => {
    await kids()
    goDown()
    await clock.advance(HOUR_MS)
    for (let second = 0; second < 30; second++) {
      await kids()
      await clock.advance(1_000)
    }
    expect(issuer.requests).toHaveLength(2)
    await kids()
    expect(issuer.requests).toHaveLength(3)
  })

  test('are refused when they are too stale', async () => {
    await kids()
    goDown()
    await clock.advance(25 * HOUR_MS)
    await expect(kids()).rejects.toMatchObject({ code: 'overloaded', status: 503, headers: { 'retry-after': '1' } })
  })

  test('are there again soon after the issuer is', async () => {
    goDown()
    await expect(kids()).rejects.toMatchObject({ code: 'overloaded' })
    issuer.answer = () => publish([first.jwk])
    await clock.advance(1_000)
    expect(await kids()).toEqual(['first'])
  })

  test('do not let those that wait for them hang when their own request ends', async () => {
    issuer.answer = () => new Promise(() => {})
    const owner = kids().catch((error: unknown) => error)
    const controller = new AbortController()
    const waiting = source.keys({ ...user, signal: controller.signal })
    controller.abort(new Error('client gone'))
    await expect(waiting).rejects.toThrow('client gone')
    await clock.advance(5_000)
    expect(await owner).toMatchObject({ code: 'overloaded' })
  })
})

describe('answers that are no keys', () => {
  const endless = () =>
    new Response(
      new ReadableStream({
        pull: (controller) => controller.enqueue(new Uint8Array(64 * 1_024).fill(0x20)),
      }),
    )
  const answers = [
    { name: 'are an error page', answer: () => new Response('<!doctype html><h1>Oops</h1>'), cause: 'not valid JSON' },
    { name: 'are a server error', answer: () => new Response('', { status: 500 }), cause: 'status 500' },
    { name: 'are nothing', answer: () => new Response(null, { status: 204 }), cause: 'status 204' },
    { name: 'are too large', answer: endless, cause: 'larger than 262144 bytes' },
    {
      name: 'are a redirect to cloud metadata',
      answer: () => new Response(null, { status: 302, headers: { location: 'http://169.254.169.254/' } }),
      cause: 'status 302',
    },
  ]

  test.each(answers)('$name', async ({ answer, cause }) => {
    issuer.answer = answer
    await expect(kids()).rejects.toMatchObject({ code: 'overloaded' })
    expect(issuer.requests.map(({ url }) => url)).toEqual([JWKS_URL])
    expect(telemetry.lines[0]?.facts.cause).toContain(cause)
  })

  const slow = [
    { name: 'never begin', answer: () => new Promise<Response>(() => {}) },
    { name: 'stop in the middle', answer: () => new Response(new ReadableStream({})) },
  ]

  test.each(slow)('$name', async ({ answer }) => {
    issuer.answer = answer
    const outcome = kids().catch((error: unknown) => error)
    await clock.advance(5_000)
    expect(await outcome).toMatchObject({ code: 'overloaded' })
    expect(issuer.requests[0]?.init?.signal?.aborted).toBe(true)
  })
})
