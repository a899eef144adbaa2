import { describe, expect, test } from 'bun:test'
import { createTestGateway } from '../../tests/support/gateway.ts'

const PART = { upstream: 'shop', path: '/a', fallback: null }
const ROUTES = {
  'a proxied route': { upstream: 'shop' },
  'a part of an aggregate': { policies: [{ aggregate: { parts: { a: PART } } }] },
}

type Try = number | 'refuse' | 'hang'

/** The record of one call in the log line, whose tries end so in turn. */
async function recordOf(tries: readonly Try[], route: object): Promise<unknown> {
  const policies = [{ retry: { attempts: tries.length } }, { timeout: '100ms' }]
  const gateway = await createTestGateway({
    config: JSON.stringify({
      version: 1,
      upstreams: { shop: { url: 'http://shop.test', policies } },
      routes: { r: { path: '/x', ...route } },
    }),
    upstream() {
      const one = tries[gateway.upstreamRequests.length - 1]
      if (one === 'hang') return new Promise<Response>(() => {})
      if (typeof one !== 'number') throw new TypeError('connection refused')
      return Response.json({ tried: one }, { status: one })
    },
  })
  const answer = gateway.fetch('/x')
  await gateway.clock.advance(2_000)
  await answer
  const [{ calls: [call] = [] } = {}] = gateway.records as { calls?: unknown[] }[]
  return call
}

for (const [where, route] of Object.entries(ROUTES)) {
  describe(`the record of ${where} tells of the last try alone`, () => {
    test('that timed out after one that was answered', async () => {
      const call = await recordOf([503, 'hang'], route)
      expect(call).toMatchObject({ attempts: 2, failure: 'upstream-timeout' })
      expect(call).not.toHaveProperty('status')
    })

    test('that got no connection after one that was answered', async () => {
      const call = await recordOf([503, 'refuse'], route)
      expect(call).toMatchObject({ attempts: 2, failure: 'upstream-unreachable', cause: expect.any(String) })
      expect(call).not.toHaveProperty('status')
    })

    test('that was answered after ones that failed', async () => {
      const call = await recordOf(['refuse', 'hang', 503, 200], route)
      expect(call).toMatchObject({ attempts: 4, status: 200 })
      expect(call).not.toHaveProperty('failure')
      expect(call).not.toHaveProperty('cause')
    })
  })
}
