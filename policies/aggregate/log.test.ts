import { describe, expect, test } from 'bun:test'
import { createTerminalLogger } from '../../gateway/services/telemetry/terminal-logger.ts'
import { TEST_START } from '../../tests/support/gateway.ts'
import { createVirtualClock } from '../../tests/support/virtual-clock.ts'
import { JSON_TYPE, openPage, type PageOptions } from './test-page.ts'

/** A page whose log goes to a terminal; `told` is what a person reads there, without the time. */
async function openAtTerminal(options: PageOptions) {
  const written: string[] = []
  const log = createTerminalLogger(createVirtualClock(TEST_START), (line) =>
    written.push(line.slice('00:00:00 '.length)),
  )
  const page = await openPage({ ...options, services: { ...options.services, log } })
  return { ...page, told: written as readonly string[] }
}

const LINE = 'GET /page/1'
const failing = (status: number) => () => new Response(null, { status })
const html = () => new Response('<p>', { headers: { 'content-type': 'text/html' } })
const truncated = () => new Response('{"a":', { headers: JSON_TYPE })
const away = () => {
  throw new TypeError('refused')
}

describe('the log of a composed answer at a terminal', () => {
  const PRODUCT = { product: { required: true }, stock: { fallback: 0 }, reviews: {} }

  test.each([
    {
      name: 'says nothing of one that is whole',
      answers: { product: 1, stock: 2, reviews: 3 },
      told: '200 0 ms  (page)',
    },
    {
      name: 'names a part that something stands in for, with the status of its upstream',
      answers: { product: 1, stock: failing(500), reviews: 3 },
      told: '200 0 ms  (page)  incomplete, stock (fallback): status 500',
    },
    {
      name: 'gives the cause of a reply that cannot be used, and of a connection that failed',
      answers: { product: 1, stock: html, reviews: away },
      told: '200 0 ms  (page)  incomplete, stock (fallback): invalid-response (the content type is "text/html"), reviews: unreachable (TypeError: refused)',
    },
    {
      name: 'begins with the part that decided the answer, and counts those given up because of it',
      answers: { product: truncated },
      told: '502 0 ms  (page)  upstream-invalid-response, product: invalid-response (the body is not valid JSON), 2 given up',
    },
  ])('$name', async ({ answers, told }) => {
    const page = await openAtTerminal({ parts: PRODUCT, answers })
    await page.fetch()
    expect(page.told).toEqual([`${LINE} ${told}`])
  })

  test('names what had failed before after what decided the answer', async () => {
    const page = await openAtTerminal({
      parts: { reviews: {}, hints: {}, product: { required: true } },
      answers: { reviews: failing(503) },
    })
    const asking = page.fetch()
    await page.clock.advance(0)
    await page.answer('product', new Response(null, { status: 500 }))
    await asking
    expect(page.told).toEqual([
      `${LINE} 502 0 ms  (page)  upstream-invalid-response, product: status 500, reviews: status 503, 1 given up`,
    ])
  })

  test('names what could not be asked after what it waited for', async () => {
    const page = await openAtTerminal({
      parts: { c: { path: '/{parts.b.body.n}' }, a: {}, b: {} },
      answers: { a: 1, b: failing(500) },
    })
    await page.fetch()
    expect(page.told).toEqual([`${LINE} 200 0 ms  (page)  incomplete, b: status 500, c: input ("b" has no reply)`])
  })

  test('counts what fails beyond the first six', async () => {
    const names = Array.from({ length: 9 }, (_, i) => `p${i}`)
    const page = await openAtTerminal({
      parts: { fine: {}, ...Object.fromEntries(names.map((name) => [name, {}])) },
      answers: { fine: 1, ...Object.fromEntries(names.map((name) => [name, failing(500)])) },
    })
    await page.fetch()
    expect(page.told[0]).toMatch(/ incomplete, p0: status 500, .*, p5: status 500, 3 more failed$/)
  })
})

describe('the log of a streamed answer at a terminal', () => {
  const NDJSON = { headers: { accept: 'application/x-ndjson' } }

  test('says at its end what was wrong with it', async () => {
    const parts = { a: {}, b: { fallback: 0 }, c: {} }
    const page = await openAtTerminal({ parts, answers: { a: 1, b: failing(500) }, settings: { stream: true } })
    for (const reply of [Response.json(3), new Response(null, { status: 503 })]) {
      const asking = page.fetch('/page/1', NDJSON)
      await page.clock.advance(0)
      const { body } = await asking
      await page.answer('c', reply)
      await body?.cancel()
    }
    expect(page.told).toEqual([
      `${LINE} 200 0 ms  (page)`,
      'stream ended  (page)  incomplete, b (fallback): status 500',
      `${LINE} 200 0 ms  (page)`,
      'stream ended  (page)  incomplete, b (fallback): status 500, c: status 503',
    ])
  })
})

describe('the log of a composed answer as JSON', () => {
  test('says of each part that is not whole what stands in the answer, why, and which decided it', async () => {
    const page = await openPage({
      parts: { stock: { fallback: 0 }, product: { required: true }, hints: {} },
      answers: { stock: failing(503) },
    })
    const asking = page.fetch()
    await page.clock.advance(0)
    await page.answer('product', new Response(null, { status: 500 }))
    await asking
    expect(page.records[0]?.policies).toEqual({
      aggregate: {
        complete: false,
        failed: [
          { part: 'stock', outcome: 'fallback', error: 'status', status: 503 },
          { part: 'product', outcome: 'failed', error: 'status', status: 500 },
          { part: 'hints', outcome: 'failed', error: 'cancelled' },
        ],
        decidedBy: 'product',
      },
    })
  })

  test('names the part whose failure answers where none has a reply', async () => {
    const page = await openPage({ parts: { a: {}, b: {} }, answers: { a: failing(500), b: failing(503) } })
    expect((await page.fetch()).status).toBe(502)
    expect(page.records[0]).toMatchObject({ policies: { aggregate: { complete: false, decidedBy: 'a' } } })
  })
})
