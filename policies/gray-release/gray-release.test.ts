import { describe, expect, test } from 'bun:test'
import { z } from 'zod'
import { principal } from '../../gateway/core/keys.ts'
import { definePolicy } from '../../gateway/core/policy.ts'
import { createTestGateway } from '../../tests/support/gateway.ts'
import grayRelease from './index.ts'

/** Signs everyone in as what the request says. */
const signIn = definePolicy({
  name: 'sign-in',
  at: 'route',
  options: z.strictObject({}),
  provides: [principal],
  create: () => (exchange, next) => {
    const id = exchange.request.headers.get('x-user')
    const plan = exchange.request.headers.get('x-plans')?.split(',')
    if (id !== null) exchange.set(principal, { id, claims: { sub: id, plan }, via: 'sign-in' })
    return next()
  },
})

const bench = (
  options: Readonly<Record<string, unknown>>,
  versions: readonly string[] = ['stable', 'canary'],
  random?: () => number,
) =>
  createTestGateway({
    register: [grayRelease, signIn],
    config: JSON.stringify({
      version: 1,
      upstreams: {
        pricing: {
          versions: Object.fromEntries(versions.map((version) => [version, { targets: [`http://${version}.test`] }])),
          policies: [{ 'gray-release': options }],
        },
      },
      routes: { prices: { path: '/x', policies: ['sign-in'], upstream: 'pricing' } },
    }),
    upstream: ({ url }) => new Response(new URL(url).hostname.replace('.test', '')),
    ...(random ? { services: { random } } : {}),
  })

type Bench = Awaited<ReturnType<typeof bench>>

const versionFor = async (gateway: Bench, headers: Record<string, string> = {}, query = '') =>
  (await gateway.fetch(`/x${query}`, { headers })).text()

async function countVersions(gateway: Bench, requests: number, headers: (i: number) => Record<string, string>) {
  const counts: Record<string, number> = {}
  for (let i = 0; i < requests; i++) {
    const version = await versionFor(gateway, headers(i))
    counts[version] = (counts[version] ?? 0) + 1
  }
  return counts
}

const TENTH = { stable: 90, canary: 10 }

describe('gray-release', () => {
  test('sends each version its share of the subjects', async () => {
    const gateway = await bench({ subject: ['claims.sub'], weights: TENTH })
    const counts = await countVersions(gateway, 500, (i) => ({ 'x-user': `user-${i}` }))
    expect((counts.canary ?? 0) / 500).toBeGreaterThan(0.05)
    expect((counts.canary ?? 0) / 500).toBeLessThan(0.15)
    expect(gateway.metric('sluice_release_total')).toBe(500)
  })

  test('draws every request anew when there is no subject', async () => {
    const gateway = await bench({ subject: ['claims.sub'], weights: TENTH })
    const counts = await countVersions(gateway, 500, () => ({}))
    expect((counts.canary ?? 0) / 500).toBeGreaterThan(0.05)
    expect((counts.canary ?? 0) / 500).toBeLessThan(0.15)
  })

  test('keeps a subject with its version, in this gateway and in another one', async () => {
    const options = { subject: ['claims.sub'], weights: { stable: 1, canary: 1 } }
    const [one, restarted] = [await bench(options), await bench(options)]
    const seen = new Set<string>()
    for (const user of ['alice', 'bob', 'carol', 'dave', 'erin', 'frank']) {
      const version = await versionFor(one, { 'x-user': user })
      seen.add(version)
      for (let i = 0; i < 50; i++) expect(await versionFor(one, { 'x-user': user })).toBe(version)
      expect(await versionFor(restarted, { 'x-user': user })).toBe(version)
    }
    expect(seen.size).toBe(2)
  })

  test('takes the bucket of the upstream’s name and the subject', async () => {
    // HMAC-SHA-256("pricing", "alice") gives bucket 3208: the canary needs one hundredth of a percent more than that.
    const share = (percent: number) => ({
      subject: ['claims.sub'],
      weights: { stable: 100 - percent, canary: percent },
    })
    expect(await versionFor(await bench(share(32.08)), { 'x-user': 'alice' })).toBe('stable')
    expect(await versionFor(await bench(share(32.09)), { 'x-user': 'alice' })).toBe('canary')
  })

  test('shuffles the subjects anew for another seed', async () => {
    const weights = { stable: 1, canary: 1 }
    const [one, other] = [
      await bench({ subject: ['claims.sub'], weights }),
      await bench({ subject: ['claims.sub'], weights, seed: 'two' }),
    ]
    const users = Array.from({ length: 40 }, (_, i) => ({ 'x-user': `user-${i}` }))
    const moved = await Promise.all(
      users.map(async (user) => (await versionFor(one, user)) !== (await versionFor(other, user))),
    )
    expect(moved.filter(Boolean).length).toBeGreaterThan(10)
    expect(moved.filter(Boolean).length).toBeLessThan(30)
  })

  test('takes the first subject that is present', async () => {
    const options = { subject: ['claims.sub', 'cookies.sid', 'client.ip'], weights: { stable: 1, canary: 1 } }
    const gateway = await bench(options)
    const alone = await bench({ ...options, subject: ['cookies.sid'] })
    for (const sid of ['s1', 's2', 's3', 's4', 's5', 's6']) {
      const headers = { cookie: `theme=dark; sid=${sid}` }
      expect(await versionFor(gateway, headers)).toBe(await versionFor(alone, headers))
      expect(await versionFor(gateway, { ...headers, 'x-user': 'alice' })).toBe(
        await versionFor(gateway, { 'x-user': 'alice' }),
      )
    }
  })

  test('passes over a subject that is empty', async () => {
    // Bucket 3,208 is alice's; the empty text would have 3,678.
    const gateway = await bench({ subject: ['cookies.sid', 'claims.sub'], weights: { stable: 65, canary: 35 } })
    expect(await versionFor(gateway, { cookie: 'sid=', 'x-user': 'alice' })).toBe('canary')
  })

  test.each([
    { name: 'a version of weight 0', weights: { stable: 100, canary: 0 } },
    { name: 'a version that is not named', weights: { stable: 100 } },
  ])('never chooses $name', async ({ weights }) => {
    const gateway = await bench({ weights }, ['stable', 'canary'], () => 0)
    expect(await countVersions(gateway, 20, () => ({}))).toEqual({ stable: 20 })
  })

  test('puts the version in the log and, if told, in the response', async () => {
    const gateway = await bench({ weights: { canary: 1 }, header: 'X-Release' })
    expect((await gateway.fetch('/x')).headers.get('x-release')).toBe('canary')
    expect(gateway.records[0]).toMatchObject({ calls: [{ upstream: 'pricing', version: 'canary' }] })
    expect((await (await bench({ weights: { canary: 1 } })).fetch('/x')).headers.has('x-release')).toBe(false)
  })

  describe('rules', () => {
    const rules = (...when: readonly Readonly<Record<string, unknown>>[]) => ({
      weights: { stable: 1 },
      rules: when.map((conditions) => ({ when: conditions, version: 'canary' })),
    })
    const betaTeam = { 'headers.x-release': 'canary', 'claims.sub': ['alice', 'bob'] }

    test.each([
      {
        name: 'one condition holds',
        when: { 'headers.x-release': 'canary' },
        headers: { 'x-release': 'canary' },
        gets: 'canary',
      },
      {
        name: 'it does not',
        when: { 'headers.x-release': 'canary' },
        headers: { 'x-release': 'Canary' },
        gets: 'stable',
      },
      { name: 'the value is missing', when: { 'headers.x-release': 'canary' }, headers: {}, gets: 'stable' },
      { name: 'all hold', when: betaTeam, headers: { 'x-release': 'canary', 'x-user': 'bob' }, gets: 'canary' },
      {
        name: 'one of two does not',
        when: betaTeam,
        headers: { 'x-release': 'canary', 'x-user': 'carol' },
        gets: 'stable',
      },
      { name: 'a cookie fits', when: { 'cookies.beta': 'yes' }, headers: { cookie: 'beta=yes' }, gets: 'canary' },
      {
        name: 'a member of a list fits',
        when: { 'claims.plan': 'gold' },
        headers: { 'x-user': 'al', 'x-plans': 'team,gold' },
        gets: 'canary',
      },
      { name: 'a number is meant', when: { 'headers.x-level': 3 }, headers: { 'x-level': '3' }, gets: 'canary' },
    ])('decide before the weights: $name', async ({ when, headers, gets }) => {
      expect(await versionFor(await bench(rules(when)), headers as Record<string, string>)).toBe(gets)
    })

    test('read the query', async () => {
      const gateway = await bench(rules({ 'query.release': 'canary' }))
      expect([await versionFor(gateway, {}, '?release=canary'), await versionFor(gateway)]).toEqual([
        'canary',
        'stable',
      ])
    })

    test('are tried in order', async () => {
      const first = { when: { 'headers.x-release': 'canary' }, version: 'canary' }
      const second = { when: { 'headers.x-release': 'canary' }, version: 'stable' }
      const gateway = await bench({ weights: { stable: 1 }, rules: [first, second] })
      expect(await versionFor(gateway, { 'x-release': 'canary' })).toBe('canary')
    })
  })

  test.each([
    { name: 'a misspelt version', options: { weights: { stabel: 1 } }, message: 'did you mean "stable"' },
    {
      name: 'a misspelt version of a rule',
      options: { weights: { stable: 1 }, rules: [{ when: { 'query.a': 'b' }, version: 'canari' }] },
      message: 'did you mean "canary"',
    },
    {
      name: 'weights that are all zero',
      options: { weights: { stable: 0, canary: 0 } },
      message: 'no version has any weight',
    },
    { name: 'no weights at all', options: { weights: {} }, message: 'no version has any weight' },
    {
      name: 'a share that cannot be told apart',
      options: { weights: { stable: 100, canary: 0.001 } },
      message: '0.01 %',
    },
    { name: 'a negative weight', options: { weights: { stable: 1, canary: -1 } }, message: 'at least 0' },
    {
      name: 'a rule without a condition',
      options: { weights: { stable: 1 }, rules: [{ when: {}, version: 'canary' }] },
      message: 'at least one condition',
    },
    {
      name: 'a misspelt reference',
      options: { weights: { stable: 1 }, rules: [{ when: { 'header.x': 'y' }, version: 'canary' }] },
      message: 'did you mean "headers"',
    },
    {
      name: 'a reference to the body',
      options: { weights: { stable: 1 }, subject: ['body.id'] },
      message: 'expected a reference to headers',
    },
    { name: 'an empty seed', options: { weights: { stable: 1 }, seed: '' }, message: 'seed' },
  ])('refuses $name at load', async ({ options, message }) => {
    expect(String(await bench(options).catch((error: unknown) => error))).toContain(message)
  })

  test('refuses an upstream without versions', async () => {
    const loading = createTestGateway({
      register: [grayRelease],
      upstreamPolicies: [{ 'gray-release': { weights: { stable: 1 } } }],
    })
    expect(String(await loading.catch((error: unknown) => error))).toContain('needs versions to choose from')
  })
})
