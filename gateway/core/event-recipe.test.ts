import { describe, expect, test } from 'bun:test'
import { buildEvent, identityOf } from './event-recipe.ts'
import type { EventRecipe } from './events.ts'

const RECIPE: EventRecipe = {
  type: 'order.placed',
  source: 'urn:shop',
  exchange: 'shop.events',
  routingKey: 'order.placed',
  subject: '{response.body.id}',
  data: '{response.body}',
  values: {},
  maxBody: 1_000,
}
const KEYED = {
  ...RECIPE,
  identity: identityOf({ source: 'urn:shop', type: 'order.placed', caller: 'alice', key: 'k-1' }),
}

const build = (recipe: EventRecipe, body: unknown, response = new Response(null, { status: 201 })) =>
  buildEvent(recipe, { response, body }, { id: 'intent-1', nowMs: 0 })

describe('the id of an event', () => {
  test('is the same on every runtime and in every version', async () => {
    expect((await build(KEYED, { id: 'o-1' })).id).toBe('564d821eb7d4c3c158afabca0e96ce9b')
    expect((await build({ ...KEYED, subject: '' }, { id: 'o-1' })).id).toBe('d3e69e3cd39e510dbc8c3eb85643ad54')
  })

  test('is the intent’s where nobody else could repeat the request', async () => {
    expect((await build(RECIPE, { id: 'o-1' })).id).toBe('intent-1')
  })

  test('does not depend on what else the service says of the same order, nor on the order of its fields', async () => {
    const ids = [
      await build(KEYED, { id: 'o-1', status: 'pending' }),
      await build(KEYED, { status: 'confirmed', id: 'o-1' }),
      await build({ ...KEYED, subject: '' }, { a: 1, b: { c: 2, d: 3 } }),
      await build({ ...KEYED, subject: '' }, { b: { d: 3, c: 2 }, a: 1 }),
    ].map(({ id }) => id)
    expect(ids[0]).toBe(ids[1] ?? '')
    expect(ids[2]).toBe(ids[3] ?? '')
    expect(ids[0]).not.toBe(ids[2] ?? '')
  })

  test.each([
    { name: 'caller', changes: { caller: 'bob' } },
    { name: 'absence of a caller', changes: { caller: undefined } },
    { name: 'key', changes: { key: 'k-2' } },
    { name: 'type', changes: { type: 'order.changed' } },
    { name: 'source', changes: { source: 'urn:other' } },
  ])('differs with another $name', async ({ changes }) => {
    const given = { source: 'urn:shop', type: 'order.placed', caller: 'alice', key: 'k-1', ...changes }
    const { id } = await build({ ...RECIPE, identity: identityOf(given) }, { id: 'o-1' })
    expect(id).not.toBe((await build(KEYED, { id: 'o-1' })).id)
  })
})

describe('the values a recipe holds', () => {
  test('take the places of the references that read them', async () => {
    const values = {
      'params.id': '7',
      'query.a': 'q',
      'headers.x-b': 'h',
      'cookies.c': 'k',
      'claims.org.name': 'shop',
      'client.ip': '192.0.2.1',
      'client.id': 'alice',
      'route.id': 'place-order',
      'body.items.0.sku': 'tea',
    }
    const data = Object.keys(values)
      .map((source) => `{${source}}`)
      .join(' ')
    const { data: rendered } = await build({ ...RECIPE, data, values }, {})
    expect(rendered).toBe(Object.values(values).join(' '))
  })

  test('hold a whole once, however many of its parts are named', async () => {
    const body = { note: 'quick', deep: { er: [1] } }
    const values = { 'body.note': 'quick', 'body.deep.er': [1], body }
    expect((await build({ ...RECIPE, data: '{body}', values }, {})).data).toEqual(body)
    expect((await build({ ...RECIPE, data: '{body.note}', values }, {})).data).toBe('quick')
  })

  test('are names and nothing more, whatever they are called', async () => {
    const values = { 'claims.__proto__.polluted': 'yes', 'params.constructor': 'c' }
    const { data } = await build({ ...RECIPE, data: '{claims.__proto__.polluted} {params.constructor}', values }, {})
    expect(data).toBe('yes c')
    expect(({} as Record<string, unknown>).polluted).toBeUndefined()
  })

  test('are missing where they were missing', async () => {
    const values = JSON.parse(JSON.stringify({ 'query.a': undefined, 'claims.b': null }))
    expect((await build({ ...RECIPE, data: '[{query.a}{claims.b}]', values }, {})).data).toBe('[]')
  })

  test('stand beside status and fields of the response', async () => {
    const response = new Response(null, { status: 202, headers: { location: '/orders/7' } })
    const data = '{response.status} {response.headers.location}'
    expect((await build({ ...RECIPE, data }, undefined, response)).data).toBe('202 /orders/7')
  })
})
