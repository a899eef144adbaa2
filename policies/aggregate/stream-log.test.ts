import { describe, expect, test } from 'bun:test'
import { NobodyThere } from '../../tests/support/gateway.ts'
import { openPage, type PageOptions } from './test-page.ts'

describe('what operators see of a streamed answer', () => {
  /** Parts of which one is quick, one slow, and two come after the slow one; the lines are kept as they were written. */
  async function logged(answers: PageOptions['answers'], upstreamPolicies: object[] = []) {
    const lines: { readonly message: string; readonly text: string }[] = []
    const keep = (message: string, facts?: object) => void lines.push({ message, text: JSON.stringify(facts) })
    const page = await openPage({
      settings: { stream: true },
      parts: {
        quick: {},
        slow: { timeout: '300ms' },
        next: { path: '/{parts.slow.body.n}' },
        last: { path: '/{parts.slow.body.n}' },
      },
      services: { log: { info: keep, warn: keep, error: keep } },
      answers: { quick: 1, ...answers },
      upstreamPolicies,
    })
    const asking = page.fetch('/page/1', { headers: { accept: 'application/x-ndjson' } })
    await page.clock.advance(20)
    const { body } = await asking
    if (!body) throw new Error('There is no body')
    const reader = body.getReader()
    await reader.read()
    const facts = (wanted: string) => {
      const found = lines.filter(({ message }) => message === wanted)
      expect(found).toHaveLength(1)
      return JSON.parse(found[0]?.text ?? '')
    }
    return { ...page, leave: () => reader.cancel(), facts }
  }

  const call = (part: string, facts: object) => ({
    upstream: part,
    part,
    attempts: 1,
    target: `http://${part}.test`,
    ...facts,
  })
  const QUICK = call('quick', { status: 200, durationMs: 0 })

  test('is a line of its own with every call, those too that were made after the first line', async () => {
    const { clock, answer, facts, metric } = await logged({
      next: () => new Response(null, { status: 503 }),
      last: () => {
        throw new NobodyThere('refused')
      },
    })
    expect(facts('request').calls).toEqual([call('slow', {}), QUICK])
    await answer('slow', { n: 1 })
    await clock.advance(0)
    expect(facts('stream ended')).toEqual({
      id: 'id-1',
      route: 'page',
      complete: false,
      failed: [
        { part: 'next', outcome: 'failed', error: 'status', status: 503 },
        { part: 'last', outcome: 'failed', error: 'unreachable' },
      ],
      calls: [
        call('slow', { status: 200, durationMs: 20 }),
        QUICK,
        call('next', { status: 503, durationMs: 0 }),
        call('last', { unsent: 1, failure: 'upstream-unreachable', cause: 'NobodyThere: refused', durationMs: 0 }),
      ],
    })
    expect(metric('sluice_parts_total', { part: 'quick', outcome: 'ok' })).toBe(1)
  })

  for (const [around, policies] of Object.entries({
    'no policies': [],
    'a circuit breaker, retry and a timeout': [{ 'circuit-breaker': {} }, { retry: {} }, { timeout: '50s' }],
  })) {
    test(`tells how calls ended that were given up: their time was up, with ${around}`, async () => {
      const { clock, facts } = await logged({}, policies)
      await clock.advance(300)
      const { calls } = facts('stream ended')
      expect(calls).toHaveLength(2)
      expect(calls[0]).toMatchObject({ part: 'slow', failure: 'upstream-timeout', durationMs: 300 })
    })

    test(`tells how calls ended that were given up: the client left, with ${around}`, async () => {
      const { clock, leave, facts } = await logged({}, policies)
      await clock.advance(30)
      await leave()
      await clock.advance(0)
      const { failure, failed, calls } = facts('stream ended')
      expect({ failure, failed }).toEqual({
        failure: 'client-gone',
        failed: ['slow', 'next', 'last'].map((part) => ({ part, outcome: 'failed', error: 'cancelled' })),
      })
      expect(calls).toHaveLength(2)
      expect(calls[0]).toMatchObject({ part: 'slow', failure: 'client-gone', durationMs: 50 })
    })
  }
})
