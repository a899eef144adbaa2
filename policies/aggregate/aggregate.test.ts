import { describe, expect, test } from 'bun:test'
import { z } from 'zod'
import { principal } from '../../gateway/core/keys.ts'
import { definePolicy } from '../../gateway/core/policy.ts'
import { compositionOf, openPage, PRODUCT_PAGE } from './test-page.ts'

const SHOP = {
  catalog: { sku: 'MUG-1', name: 'Mug' },
  inventory: { available: 3 },
  pricing: { amount: 1290, currency: 'EUR' },
  promotions: [{ id: 'summer' }],
}

describe('aggregate', () => {
  test('composes one document in the order of the file', async () => {
    const page = await openPage({ config: PRODUCT_PAGE, answers: SHOP })
    const response = await page.fetch('/products/7')
    expect(response.status).toBe(200)
    expect(response.headers.get('content-type')).toBe('application/json')
    expect(response.headers.get('cache-control')).toBe('no-cache')
    expect(await response.text()).toBe(
      '{"product":{"sku":"MUG-1","name":"Mug"},"stock":{"available":3},' +
        '"price":{"amount":1290,"currency":"EUR"},"promotions":[{"id":"summer"}]}',
    )
  })

  test('says of every part how it went', async () => {
    const page = await openPage({ config: PRODUCT_PAGE, answers: { ...SHOP, catalog: undefined } as never })
    const answer = page.fetch('/products/7')
    await page.clock.advance(12)
    await page.answer('catalog', SHOP.catalog)
    const response = await answer
    expect(response.headers.get('composition-status')).toBe(
      'product;ok;dur=12, stock;ok;dur=0, price;ok;dur=0, promotions;ok;dur=0',
    )
    expect(response.headers.get('composition-complete')).toBe('?1')
    expect(compositionOf(response, { durations: true }).parts.product).toEqual({ ok: true, dur: 12 })
  })

  test('asks at once for every part that needs no other', async () => {
    const page = await openPage({ config: PRODUCT_PAGE })
    const answer = page.fetch('/products/7')
    await page.clock.advance(0)
    expect(page.asked).toEqual(['catalog', 'inventory'])
    await page.answer('inventory', SHOP.inventory)
    expect(page.asked).toEqual(['catalog', 'inventory'])
    await page.answer('catalog', SHOP.catalog)
    expect(page.asked).toEqual(['catalog', 'inventory', 'pricing', 'promotions'])
    await page.answer('promotions', SHOP.promotions)
    await page.answer('pricing', SHOP.pricing)
    expect((await answer).status).toBe(200)
    expect(page.requestTo('pricing').url).toBe('http://pricing.test/prices/MUG-1')
    expect(page.requestTo('promotions').url).toBe('http://promotions.test/promotions?sku=MUG-1')
  })

  test('starts a part when all it reads is there, and asks for each part once', async () => {
    const page = await openPage({
      parts: {
        last: { path: '/{parts.left.body.x}/{parts.right.body.x}' },
        left: { path: '/left/{parts.root.body.x}' },
        right: { path: '/right/{parts.root.body.x}' },
        root: {},
      },
    })
    const answer = page.fetch()
    await page.clock.advance(0)
    expect(page.asked).toEqual(['root'])
    await page.answer('root', { x: 1 })
    expect(page.asked).toEqual(['root', 'left', 'right'])
    await page.answer('right', { x: 3 })
    expect(page.asked).toHaveLength(3)
    await page.answer('left', { x: 2 })
    await page.answer('last', { x: 4 })
    const response = await answer
    expect(page.requestTo('last').url).toBe('http://last.test/2/3')
    expect(await response.text()).toBe('{"last":{"x":4},"left":{"x":2},"right":{"x":3},"root":{"x":1}}')
    expect(page.asked).toHaveLength(4)
  })

  test('lets parts read the status and the headers of others', async () => {
    const page = await openPage({
      parts: { a: {}, b: { path: '/b?s={parts.a.status}&e={parts.a.headers.etag}' } },
      answers: { a: () => Response.json({}, { status: 203, headers: { etag: '"v1"' } }), b: {} },
    })
    await page.fetch()
    expect(page.requestTo('b').url).toBe('http://b.test/b?s=203&e=%22v1%22')
  })

  test('takes any 2xx for success and keeps the bytes of each document', async () => {
    const exact = '{ "id": 12345678901234567890, "rate": 1.10, "letter": "\\u00e9" }'
    const page = await openPage({
      parts: { a: {}, b: {} },
      answers: {
        a: () =>
          new Response(`\uFEFF\n ${exact}\r\n`, {
            status: 201,
            headers: { 'content-type': 'application/vnd.shop+json; charset=UTF-8' },
          }),
        b: () => new Response('null', { headers: { 'content-type': 'application/json' } }),
      },
    })
    const response = await page.fetch()
    expect(response.status).toBe(200)
    expect(await response.text()).toBe(`{"a":${exact},"b":null}`)
  })

  test('sends each client’s language, and none for one without, however many there are', async () => {
    const page = await openPage({ parts: { a: {}, b: { path: '/{params.id}' } }, answers: { a: {}, b: {} } })
    const long = `de, ${'x-long, '.repeat(40)}en`
    const some = ['de', undefined, 'fr', 'de', long, undefined, long.replace('de', 'fr')]
    const many = Array.from({ length: 200 }, (_, i) => `x-${i}`)
    for (const language of [...some, ...many, ...some]) {
      await page.fetch('/page/1', language === undefined ? {} : { headers: { 'accept-language': language } })
      for (const part of ['a', 'b']) {
        expect(page.requestTo(part).headers.get('accept-language')).toBe(language ?? null)
        expect(page.requestTo(part).headers.get('accept-encoding')).toBe('identity')
      }
    }
  })

  test('sends upstreams nothing of the client but its language, and what the gateway adds', async () => {
    const page = await openPage({ parts: { a: {} }, answers: { a: {} } })
    await page.fetch('/page/1?debug=1', {
      headers: {
        'accept-language': 'de-CH',
        cookie: 'sid=1',
        authorization: 'Bearer secret',
        'x-custom': '1',
        'accept-encoding': 'br',
      },
    })
    const { headers, url, method } = page.requestTo('a')
    expect(method).toBe('GET')
    expect(url).toBe('http://a.test/a')
    expect(headers.get('accept')).toBe('application/json')
    expect(headers.get('accept-encoding')).toBe('identity')
    expect(headers.get('accept-language')).toBe('de-CH')
    expect(headers.get('x-request-id')).toBe('id-1')
    expect(headers.get('x-forwarded-for')).toBe('192.0.2.1')
    for (const name of ['cookie', 'authorization', 'x-custom']) expect(headers.has(name)).toBe(false)
  })

  test('passes on the identity that earlier policies have established', async () => {
    const identify = definePolicy({
      name: 'identify',
      at: 'route',
      options: z.strictObject({}),
      provides: [principal],
      create: () => (exchange, next) => {
        exchange.set(principal, { id: 'alice', claims: { sub: 'alice' }, via: 'test' })
        exchange.outgoing.set('x-user-id', 'alice')
        return next()
      },
    })
    const page = await openPage({
      parts: { a: { path: '/of/{claims.sub}' } },
      route: {
        policies: ['identify', { aggregate: { parts: { a: { upstream: 'a', path: '/of/{claims.sub}' } } } }],
      },
      register: [identify],
      answers: { a: {} },
    })
    await page.fetch()
    expect(page.requestTo('a').url).toBe('http://a.test/of/alice')
    expect(page.requestTo('a').headers.get('x-user-id')).toBe('alice')
  })

  test('reads the JSON body of the request where a template asks for it', async () => {
    const page = await openPage({ parts: { a: { path: '/a?sku={body.sku}' } }, answers: { a: {} } })
    const response = await page.fetch('/page/1', { method: 'POST', body: '{"sku":"A&B"}' })
    expect(response.status).toBe(200)
    expect(page.requestTo('a').url).toBe('http://a.test/a?sku=A%26B')
  })

  test('notes in the access log which parts failed and why', async () => {
    const page = await openPage({
      parts: { a: {}, b: {}, c: { fallback: 1 } },
      answers: {
        a: {},
        b: () => new Response('<p>', { headers: { 'content-type': 'text/html' } }),
        c: () => new Response(null, { status: 404 }),
      },
    })
    await page.fetch()
    expect(page.records[0]).toMatchObject({
      policies: {
        aggregate: {
          complete: false,
          failed: [
            { part: 'b', error: 'invalid-response', cause: 'the content type is "text/html"' },
            { part: 'c', error: 'status' },
          ],
        },
      },
      calls: [
        { upstream: 'a', part: 'a', status: 200 },
        { upstream: 'b', part: 'b', status: 200 },
        { upstream: 'c', part: 'c', status: 404 },
      ],
    })
  })

  test('answers the next request after a failed one as if nothing had happened', async () => {
    let calls = 0
    const page = await openPage({
      parts: { a: { required: true } },
      answers: {
        a: () =>
          ++calls === 1
            ? new Response('{', { headers: { 'content-type': 'application/json' } })
            : Response.json({ calls }),
      },
    })
    expect((await page.fetch()).status).toBe(502)
    expect(await (await page.fetch()).text()).toBe('{"a":{"calls":2}}')
  })
})
