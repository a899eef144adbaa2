import { describe, expect, test } from 'bun:test'
import { createTestGateway, TEST_START } from '../../tests/support/gateway.ts'
import { digestOf } from './client-keys.ts'
import apiKey from './index.ts'
import { checkOptions, options } from './options.ts'

const hashOf = async (key: string) =>
  `sha256:${Array.from(await digestOf(key), (byte) => byte.toString(16).padStart(2, '0')).join('')}`

const KEY = 'pk_live_4f0c8e1d2b'
const SECOND = 'pk_live_next'
const EXPIRING = 'pk_live_old'
const HOUR_MS = 3_600_000
const clients = {
  'partner-a': {
    keys: [
      await hashOf(KEY),
      await hashOf(SECOND),
      { hash: await hashOf(EXPIRING), expires: new Date(TEST_START + HOUR_MS).toISOString() },
    ],
    claims: { plan: 'gold' },
  },
  'partner-b': { keys: [await hashOf('pk_live_b')] },
}

const gatewayWith = (given: Readonly<Record<string, unknown>> = {}) =>
  createTestGateway({ register: [apiKey], policies: [{ 'api-key': { clients, ...given } }] })
const withKey = (key: string) => ({ headers: { 'x-api-key': key } })
const decision = ({ records }: { readonly records: readonly Readonly<Record<string, unknown>>[] }) =>
  (records.at(-1)?.policies as Readonly<Record<string, unknown>> | undefined)?.['api-key']

describe('a request with a known key', () => {
  const keys = [
    { name: 'passes with the first key', key: KEY, client: 'partner-a' },
    { name: 'passes with a second key', key: SECOND, client: 'partner-a' },
    { name: 'passes with a key that will expire', key: EXPIRING, client: 'partner-a' },
    { name: 'passes with the key of another client', key: 'pk_live_b', client: 'partner-b' },
  ]
  test.each(keys)('$name', async ({ key, client }) => {
    const gateway = await gatewayWith()
    expect((await gateway.fetch('/x/1', withKey(key))).status).toBe(200)
    expect(decision(gateway)).toEqual({ outcome: 'accepted', client })
  })

  test('does not take the key to the upstream, unless told to', async () => {
    const [kept, forwarded] = [await gatewayWith(), await gatewayWith({ forward: true })]
    await kept.fetch('/x/1', withKey(KEY))
    await forwarded.fetch('/x/1', withKey(KEY))
    expect(kept.upstreamRequests[0]?.headers.get('x-api-key')).toBeNull()
    expect(forwarded.upstreamRequests[0]?.headers.get('x-api-key')).toBe(KEY)
  })

  test('may bring it in the query, which goes on without it', async () => {
    const gateway = await gatewayWith({ query: 'api_key' })
    expect((await gateway.fetch(`/x/1?a=1&api%5Fkey=${KEY}&b=%2f`)).status).toBe(200)
    expect(gateway.upstreamRequests[0]?.url).toBe('http://upstream.test/x/1?a=1&b=%2f')
  })

  test('does not bring it in a header that is not the one', async () => {
    const gateway = await gatewayWith({ query: 'api_key' })
    expect((await gateway.fetch('/x/1', withKey(KEY))).status).toBe(401)
  })

  test('tells the upstream who it is, whatever the client says', async () => {
    const gateway = await gatewayWith({ 'client-header': 'X-Consumer' })
    await gateway.fetch('/x/1', { headers: { 'x-api-key': KEY, 'x-consumer': 'root' } })
    expect(gateway.upstreamRequests[0]?.headers.get('x-consumer')).toBe('partner-a')
  })

  test('leaves the key neither in the log nor in a refusal', async () => {
    const gateway = await gatewayWith({ header: 'x-api-key', query: 'api_key' })
    await gateway.fetch('/x/1', withKey(KEY))
    await gateway.fetch(`/x/1?api_key=${KEY}`)
    const refused = await gateway.fetch(`/x/1?api_key=${KEY}x`)
    expect(await refused.text()).not.toContain(KEY)
    expect(JSON.stringify(gateway.lines)).not.toContain(KEY)
  })
})

describe('a request with a wrong key', () => {
  const keys = [
    { name: 'is refused when the key lacks its last character', key: KEY.slice(0, -1) },
    { name: 'is refused when the key has one character more', key: `${KEY}0` },
    { name: 'is refused in another case', key: KEY.toUpperCase() },
    { name: 'is refused with a look-alike letter', key: KEY.replace('e', '\u00e9') },
    { name: 'is refused with the hash itself', key: (clients['partner-b'].keys[0] ?? '').slice(7) },
    { name: 'is refused with two keys joined', key: `${KEY}, ${SECOND}` },
    { name: 'is refused when it is very long', key: 'k'.repeat(10_000) },
    { name: 'is refused with a name every object has', key: '__proto__' },
  ]
  test.each(keys)('$name', async ({ key }) => {
    const gateway = await gatewayWith()
    const response = await gateway.fetch('/x/1', withKey(key))
    expect(response.status).toBe(401)
    expect(response.headers.get('www-authenticate')).toBe('ApiKey realm="sluice"')
    const { instance, ...problem } = (await response.json()) as Readonly<Record<string, unknown>>
    expect(typeof instance).toBe('string')
    expect(problem).toEqual({
      type: 'urn:sluice:problem:invalid-credentials',
      title: 'Credentials are not valid',
      status: 401,
      detail: 'The API key is not known',
    })
    expect(gateway.upstreamRequests).toHaveLength(0)
  })

  test('is refused with NUL or a line break in the query', async () => {
    const gateway = await gatewayWith({ query: 'key' })
    const statuses = await Promise.all(
      ['%00', `${KEY}%00`, `${KEY}%0d%0a`, '%20', '%ff'].map(
        async (key) => (await gateway.fetch(`/x/1?key=${key}`)).status,
      ),
    )
    expect(new Set(statuses)).toEqual(new Set([401]))
  })

  test('is refused with the key twice in the query', async () => {
    const gateway = await gatewayWith({ query: 'key' })
    expect((await gateway.fetch(`/x/1?key=${KEY}&key=${KEY}`)).status).toBe(401)
  })

  test('is refused once the key has expired, with the same words', async () => {
    const gateway = await gatewayWith()
    await gateway.clock.advance(HOUR_MS)
    const response = await gateway.fetch('/x/1', withKey(EXPIRING))
    expect(response.status).toBe(401)
    expect(await response.json()).toMatchObject({ detail: 'The API key is not known' })
    expect(decision(gateway)).toEqual({ outcome: 'refused', reason: 'expired' })
  })
})

describe('a request without a key', () => {
  const requests = [
    { name: 'is challenged', init: {} },
    { name: 'is challenged when the key is empty', init: withKey('') },
    { name: 'is challenged when the key is blank', init: withKey('   ') },
  ]
  test.each(requests)('$name', async ({ init }) => {
    const gateway = await gatewayWith()
    const response = await gateway.fetch('/x/1', init)
    expect(response.status).toBe(401)
    expect(response.headers.get('www-authenticate')).toBe('ApiKey realm="sluice"')
    expect(await response.json()).toMatchObject({ type: 'urn:sluice:problem:missing-credentials' })
  })

  test('passes where a key is optional, with no client of its own making', async () => {
    const gateway = await gatewayWith({ optional: true, 'client-header': 'x-consumer' })
    expect((await gateway.fetch('/x/1', { headers: { 'x-consumer': 'root' } })).status).toBe(200)
    expect(gateway.upstreamRequests[0]?.headers.get('x-consumer')).toBeNull()
  })
})

describe('mistakes in the options', () => {
  const hash = clients['partner-b'].keys[0]
  const empty = 'sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'
  const mistakes = [
    { name: 'are a key instead of its hash', given: { clients: { a: { keys: [KEY] } } }, message: 'sha256sum' },
    { name: 'are no client', given: { clients: {} }, message: 'at least one client' },
    { name: 'are a client without keys', given: { clients: { a: { keys: [] } } }, message: '>=1' },
    {
      name: 'are one key for two clients',
      given: { clients: { a: { keys: [hash] }, b: { keys: [hash] } } },
      message: 'already belongs to',
    },
    { name: 'are the hash of nothing', given: { clients: { a: { keys: [empty] } } }, message: 'empty key' },
    {
      name: 'are a date that is none',
      given: { clients: { a: { keys: [{ hash, expires: 'soon' }] } } },
      message: 'date',
    },
    {
      name: 'are a day no calendar has',
      given: { clients: { a: { keys: [{ hash, expires: '2027-13-01' }] } } },
      message: 'date such as',
    },
    {
      name: 'are a client name for no header',
      given: { clients: { 'a\r\nb': { keys: [hash] } } },
      message: 'client name',
    },
  ]
  test.each(mistakes)('$name', ({ given, message }) => {
    const parsed = options.safeParse(given)
    const found = parsed.success ? checkOptions(parsed.data) : parsed.error.issues
    expect(found).toHaveLength(1)
    expect(JSON.stringify(found)).toContain(message)
  })
})
