import { describe, expect, test } from 'bun:test'
import { ConfigError, type Mistake } from '../../gateway/config/mistake.ts'
import { openPage, PRODUCT_PAGE } from './test-page.ts'

async function mistakesIn(config: string): Promise<readonly Mistake[]> {
  const error = await openPage({ config }).catch((reason: unknown) => reason)
  if (!(error instanceof ConfigError)) throw new Error('The configuration was accepted')
  return error.mistakes
}

/** The product page with one text replaced, which must be there. */
function changed(from: string, to: string): string {
  if (!PRODUCT_PAGE.includes(from)) throw new Error(`"${from}" is not in the sample`)
  return PRODUCT_PAGE.replace(from, to)
}

const AGGREGATE = 'routes.product-page.policies[0].aggregate'
const [PRODUCT, STOCK, PRICE, PROMOTIONS] = [16, 17, 18, 19]

describe('the configuration of an aggregate', () => {
  test.each([
    {
      name: 'an unknown part',
      from: 'parts.product.body.sku}", timeout',
      to: 'parts.produkt.body.sku}", timeout',
      line: PRICE,
      path: 'parts.price.path',
      message: 'unknown part "produkt" in "parts.produkt.body.sku"; did you mean "product"?',
    },
    {
      name: 'an unknown upstream',
      from: 'upstream: inventory',
      to: 'upstream: inventry',
      line: STOCK,
      path: 'parts.stock.upstream',
      message: 'unknown upstream "inventry"; did you mean "inventory"?',
    },
    {
      name: 'a part that reads itself',
      from: '/stock/{params.id}',
      to: '/stock/{parts.stock.body.id}',
      line: STOCK,
      path: 'parts.stock.path',
      message: '"stock" reads its own reply',
    },
    {
      name: 'two parts that wait for each other',
      from: '/products/{params.id}',
      to: '/products/{parts.price.body.id}',
      line: PRODUCT,
      path: 'parts.product.path',
      message: 'parts wait for each other: product reads price reads product',
    },
    {
      name: 'something of a reply that no reply has',
      from: 'parts.product.body.sku}", fallback',
      to: 'parts.product.bdy.sku}", fallback',
      line: PROMOTIONS,
      path: 'parts.promotions.path',
      message: 'unknown name "bdy" in "parts.product.bdy.sku"; did you mean "body"?',
    },
    {
      name: 'a header name no reply is searched for',
      from: 'parts.product.body.sku}", fallback',
      to: 'parts.product.headers.ETag}", fallback',
      line: PROMOTIONS,
      path: 'parts.promotions.path',
      message: 'header names of replies are in lower case: write "parts.product.headers.etag"',
    },
    {
      name: 'an unknown path parameter',
      from: '/stock/{params.id}',
      to: '/stock/{params.di}',
      line: STOCK,
      path: 'parts.stock.path',
      message: 'unknown parameter "di"',
    },
    {
      name: 'the response, which belongs to other policies',
      from: '/stock/{params.id}',
      to: '/stock/{response.body.id}',
      line: STOCK,
      path: 'parts.stock.path',
      message: 'has no value here',
    },
    {
      name: 'a fallback of a required part',
      from: 'required: true',
      to: 'required: true, fallback: {}',
      line: PRODUCT,
      path: 'parts.product.fallback',
      message: 'is never used',
    },
    {
      name: 'a fallback that is no JSON',
      from: 'fallback: []',
      to: 'fallback: { rate: .nan }',
      line: PROMOTIONS,
      path: 'parts.promotions.fallback',
      message: 'expected a value JSON can hold',
    },
    {
      name: 'a method that no call has',
      from: 'timeout: 400ms',
      to: 'method: FETCH',
      line: PRICE,
      path: 'parts.price.method',
      message: 'expected one of "GET", "POST", "PUT", "PATCH", "DELETE", found "FETCH"',
    },
    {
      name: 'a name that is no token',
      from: 'stock:   ',
      to: '"in stock":',
      line: STOCK,
      path: 'parts.in stock',
      message: "expected a part's name",
    },
    {
      name: 'a name that is a number',
      from: 'stock:   ',
      to: '7:',
      line: STOCK,
      path: 'parts.7',
      message: "expected a part's name",
    },
    {
      name: 'a misspelt option',
      from: 'timeout: 400ms',
      to: 'timout: 400ms',
      line: PRICE,
      path: 'parts.price.timout',
      message: 'unknown key "timout"; did you mean "timeout"?',
    },
    {
      name: 'a timeout without a unit',
      from: 'timeout: 1s',
      to: 'timeout: 1',
      line: 14,
      path: 'timeout',
      message: 'expected a duration',
    },
    {
      name: 'a path that is none',
      from: '"/stock/{params.id}"',
      to: '"stock/{params.id}"',
      line: STOCK,
      path: 'parts.stock.path',
      message: 'expected a path that begins with one "/"',
    },
    {
      name: 'a path that names another host',
      from: '"/stock/{params.id}"',
      to: '"//evil.test/{params.id}"',
      line: STOCK,
      path: 'parts.stock.path',
      message: 'expected a path that begins with one "/"',
    },
  ])('refuses $name and says where', async ({ from, to, line, path, message }) => {
    const mistakes = await mistakesIn(changed(from, to))
    expect(mistakes).toEqual([
      expect.objectContaining({ line, path: `${AGGREGATE}.${path}`, message: expect.stringContaining(message) }),
    ])
  })

  test('refuses an aggregate without parts', async () => {
    const head = PRODUCT_PAGE.slice(0, PRODUCT_PAGE.indexOf('          parts:'))
    expect(await mistakesIn(`${head}          parts: {}\n`)).toEqual([
      expect.objectContaining({ path: `${AGGREGATE}.parts`, message: 'expected at least one part' }),
    ])
    expect(await mistakesIn(head)).toEqual([
      expect.objectContaining({ path: `${AGGREGATE}.parts`, message: expect.stringContaining('is missing') }),
    ])
  })

  test('names every part of a long cycle once, and only those', async () => {
    const config = changed('parts.product.body.sku}", timeout', 'parts.promotions.body.x}", timeout')
      .replace('/promotions?sku={parts.product.body.sku}', '/{parts.stock.body.x}')
      .replace('/stock/{params.id}', '/{parts.price.body.x}/{parts.product.body.x}')
    expect((await mistakesIn(config)).map(({ message }) => message)).toEqual([
      'parts wait for each other: stock reads price reads promotions reads stock',
    ])
  })

  test('tells all mistakes at once', async () => {
    const config = changed('upstream: inventory', 'upstream: x')
      .replace('parts.product.body.sku}", timeout', 'parts.x.body}", timeout')
      .replace('/products/{params.id}', '/{parts.product.body}')
    expect((await mistakesIn(config)).map(({ line }) => line)).toEqual([PRODUCT, STOCK, PRICE])
  })

  test('takes a fallback that looks like an option or a template for what it is', async () => {
    const odd = '{ root: params, source: "{params.nope}", read: 1, path: [nope] }'
    const page = await openPage({
      config: changed('fallback: []', `fallback: ${odd}`),
      answers: {
        catalog: { sku: 'A' },
        inventory: {},
        pricing: {},
        promotions: () => new Response(null, { status: 500 }),
      },
    })
    const { promotions } = (await (await page.fetch('/products/1')).json()) as { promotions: unknown }
    expect(promotions).toEqual({ root: 'params', source: '{params.nope}', read: 1, path: ['nope'] })
  })
})
