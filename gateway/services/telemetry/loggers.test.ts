import { describe, expect, test } from 'bun:test'
import { createVirtualClock } from '../../../tests/support/virtual-clock.ts'
import { createJsonLogger } from './json-logger.ts'
import { createTerminalLogger } from './terminal-logger.ts'

const REQUEST = { id: 'a', route: 'page', method: 'GET', path: '/x', status: 200, durationMs: 5 }

function lines(create: typeof createJsonLogger) {
  const written: string[] = []
  const clock = createVirtualClock(Date.parse('2026-01-01T10:00:00Z'))
  return { log: create(clock, (line) => written.push(line)), written, clock }
}

describe('the JSON log', () => {
  test('is one object a line with time, level, message and facts', async () => {
    const { log, written, clock } = lines(createJsonLogger)
    log.info('request', REQUEST)
    await clock.advance(1)
    log.warn('circuit opened', { breaker: 'pricing' })
    expect(written.map((line) => JSON.parse(line))).toEqual([
      { time: '2026-01-01T10:00:00.000Z', level: 'info', message: 'request', ...REQUEST },
      { time: '2026-01-01T10:00:00.001Z', level: 'warn', message: 'circuit opened', breaker: 'pricing' },
    ])
  })

  test('escapes what a client sent, and stays on one line', () => {
    const { log, written } = lines(createJsonLogger)
    const hostile = '/a\r\n{"level":"error"}\u001b[31m\u009b31m\u007f\u0085\u2028\u2029\u202eevil\u2066\ud800'
    log.info('request', { path: hostile })
    expect(written[0]).toMatch(/^[ -~]+$/)
    expect(JSON.parse(written[0] ?? '').path).toBe(hostile)
  })

  test('leaves letters of every script as they are', () => {
    const { log, written } = lines(createJsonLogger)
    log.info('request', { path: '/gelées/コーヒー/🫖' })
    expect(written[0]).toContain('/gelées/コーヒー/🫖')
  })

  test('replaces a line that is far too long by a note with its id', () => {
    const { log, written } = lines(createJsonLogger)
    log.info('request', { id: 'a', path: 'x'.repeat(20_000) })
    expect(JSON.parse(written[0] ?? '')).toMatchObject({ message: 'request', id: 'a', truncated: expect.any(Number) })
    expect(written[0]?.length).toBeLessThan(200)
  })
})

for (const [kind, create] of Object.entries({ createJsonLogger, createTerminalLogger })) {
  test(`${kind}: a fact that is no JSON leaves the others in the line`, () => {
    const { log, written } = lines(create)
    const circular: Record<string, unknown> = {}
    circular.self = circular
    log.warn('odd', { id: 'a', circular, large: 1n, last: 7 })
    expect(written[0]).toContain('odd')
    expect(written[0]?.match(/\(not JSON\)/g)).toHaveLength(2)
    expect(written[0]).toContain('7')
  })
}

describe('the log at a terminal', () => {
  test('tells a request in one short line, with what failed', () => {
    const { log, written } = lines(createTerminalLogger)
    log.info('request', REQUEST)
    log.info('request', {
      ...REQUEST,
      status: 503,
      failure: 'circuit-open',
      calls: [{ upstream: 'pricing', part: 'price', attempts: 0, failure: 'circuit-open' }],
    })
    expect(written).toEqual([
      '10:00:00 GET /x 200 5 ms  (page)',
      '10:00:00 GET /x 503 5 ms  (page)  circuit-open, price: circuit-open',
    ])
  })

  test('cuts a long reason why a part of an answer is missing', () => {
    const { log, written } = lines(createTerminalLogger)
    const failed = [{ part: 'stock', outcome: 'failed', error: 'shape', cause: 'x'.repeat(5_000) }]
    log.info('request', { ...REQUEST, policies: { aggregate: { complete: false, failed } } })
    expect(written).toEqual([`10:00:00 GET /x 200 5 ms  (page)  incomplete, stock: shape (${'x'.repeat(99)}…)`])
  })

  test('says what became of the writes of a request unless all of them stand', () => {
    const { log, written } = lines(createTerminalLogger)
    const aggregate = (...outcomes: string[]) => ({
      complete: true,
      failed: [],
      writes: outcomes.map((outcome, i) => ({ part: `p${i}`, outcome })),
    })
    log.info('request', { ...REQUEST, policies: { aggregate: aggregate('done', 'done') } })
    log.info('request', { ...REQUEST, failure: 'client-gone', policies: { aggregate: aggregate('undone', 'undoing') } })
    expect(written).toEqual([
      '10:00:00 GET /x 200 5 ms  (page)',
      '10:00:00 GET /x 200 5 ms  (page)  client-gone, p0 undone, p1 undoing',
    ])
  })

  test('gives mistakes of a configuration a line each', () => {
    const { log, written } = lines(createTerminalLogger)
    log.error('configuration not reloaded', { file: 'a.yaml', mistakes: ['a.yaml:1:1  one', 'a.yaml:2:1  two'] })
    expect(written).toEqual([
      '10:00:00 !! configuration not reloaded  file=a.yaml\n    a.yaml:1:1  one\n    a.yaml:2:1  two',
    ])
  })

  test('lets no client colour the screen', () => {
    const { log, written } = lines(createTerminalLogger)
    log.info('request', { ...REQUEST, path: '/\u001b[31mred\u0007' })
    expect(written).toEqual(['10:00:00 GET /\ufffd[31mred\ufffd 200 5 ms  (page)'])
  })
})
