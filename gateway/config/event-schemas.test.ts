import { describe, expect, test } from 'bun:test'
import { compileEventSchema, createEventSchemas } from './event-schemas.ts'

const compiled = (schema: unknown) => compileEventSchema(JSON.stringify(schema), 'events/a.schema.json')

describe('an event schema', () => {
  const order = compiled({
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'order.placed',
    type: 'object',
    properties: {
      id: { type: 'string', minLength: 1 },
      status: { enum: ['pending', 'confirmed'] },
      items: {
        type: 'array',
        minItems: 1,
        items: { type: 'object', properties: { quantity: { $ref: '#/$defs/count' } }, required: ['quantity'] },
      },
      at: { type: 'string', format: 'date-time' },
      note: { type: ['string', 'null'], maxLength: 5 },
    },
    required: ['id'],
    $defs: { count: { type: 'integer', minimum: 1 } },
  })
  const whole = { id: 'o-1', status: 'pending', items: [{ quantity: 1 }], at: '2026-01-01T00:00:00Z', note: null }

  test('can be used', () => {
    expect(order.mistake).toBeUndefined()
  })

  test.each([
    { name: 'what fits', data: whole },
    { name: 'fields it does not speak of', data: { ...whole, more: [1] } },
    { name: 'what is not required', data: { id: 'o-1' } },
  ])('finds no fault with $name', ({ data }) => {
    expect(order.misfit(data)).toBeUndefined()
  })

  test.each([
    { name: 'what is missing', data: {}, told: 'id: ' },
    { name: 'null', data: null, told: 'data: ' },
    { name: 'another type further in', data: { id: 'o', items: [{ quantity: '2' }] }, told: 'items.0.quantity: ' },
    { name: 'an empty list', data: { id: 'o', items: [] }, told: 'items: ' },
    { name: 'a value that is none of the list', data: { id: 'o', status: 'lost' }, told: 'status: ' },
    { name: 'what is no time', data: { id: 'o', at: 'today' }, told: 'at: ' },
    { name: 'a text that is too long for one of its types', data: { id: 'o', note: '123456' }, told: 'note: ' },
  ])('tells of $name where it is', ({ data, told }) => {
    expect(order.misfit(data)).toContain(`the data does not fit events/a.schema.json: ${told}`)
  })

  test('tells of five faults and counts the rest', () => {
    const numbers = compiled({ type: 'array', items: { type: 'number' } })
    expect(numbers.misfit('abcdefgh'.split(''))).toMatch(/(\d: .*){5}; and 3 more$/)
  })
})

describe('a schema that would look on and say nothing', () => {
  test.each([
    {
      name: 'a misspelt keyword',
      schema: { type: 'object', requird: ['a'] },
      told: '#: "requird" is not checked for type object',
    },
    {
      name: 'no type',
      schema: { properties: { a: { type: 'string' } } },
      told: '#: "properties" is not checked without a "type"',
    },
    { name: 'an unknown type', schema: { type: 'text' }, told: '#: unknown type "text"' },
    {
      name: 'an unknown format',
      schema: { type: 'string', format: 'phone' },
      told: '#: format "phone" is not checked',
    },
    {
      name: 'a bound beside a reference',
      schema: { $ref: '#/$defs/a', minLength: 1, $defs: { a: {} } },
      told: '"minLength" is not checked beside "$ref"',
    },
    {
      name: 'a property that is only required',
      schema: { type: 'object', required: ['a'] },
      told: '"a" is required and not among the properties',
    },
    { name: 'a condition', schema: { type: 'object', if: {}, else: {} }, told: '"if" is not checked' },
    {
      name: 'a negation further in',
      schema: { anyOf: [{ type: 'string' }, { not: { type: 'null' } }] },
      told: '#/anyOf/1: "not" is not checked',
    },
    {
      name: 'a fault in a definition',
      schema: { type: 'string', $defs: { a: { minimum: 1 } } },
      told: '#/$defs/a: "minimum"',
    },
    { name: 'a reference that leads nowhere', schema: { $ref: '#/$defs/nobody' }, told: 'Reference not found' },
    { name: 'a reference to another file', schema: { $ref: 'other.json' }, told: 'External $ref' },
    { name: 'a pattern that is none', schema: { type: 'string', pattern: '(' }, told: 'cannot be used' },
    { name: 'a list', schema: [], told: '#: expected a schema' },
  ])('is refused for $name', ({ schema, told }) => {
    const { mistake } = compiled(schema)
    expect(mistake).toContain('events/a.schema.json cannot be used: ')
    expect(mistake).toContain(told)
  })

  test('is refused when it is no JSON', () => {
    expect(compileEventSchema('{', 'events/a.schema.json').mistake).toContain('cannot be used')
  })
})

describe('the schemas beside a configuration file', () => {
  const reads: string[] = []
  const schemas = createEventSchemas('/etc/sluice/gateway.yaml', {
    variable: () => undefined,
    file(path) {
      reads.push(path)
      return path === '/etc/sluice/events/order.placed.schema.json' ? '{"type":"object"}' : undefined
    },
  })

  test('are read once each, by the name of their type', () => {
    expect(schemas('order.placed')?.misfit(1)).toContain('events/order.placed.schema.json')
    expect(schemas('order.placed')).toBe(schemas('order.placed'))
    expect(schemas('order.shipped')).toBeUndefined()
    expect(reads).toEqual(['order.placed', 'order.shipped'].map((type) => `/etc/sluice/events/${type}.schema.json`))
  })

  test('are looked for nowhere else', () => {
    reads.length = 0
    for (const type of ['../secrets/x', '/etc/passwd', '.hidden', 'a/b', '']) expect(schemas(type)).toBeUndefined()
    expect(reads).toEqual([])
  })

  test('are a mistake when they are there and cannot be read: a check must not go missing in silence', () => {
    const find = createEventSchemas('gateway.yaml', {
      variable: () => undefined,
      file: () => ({ unreadable: 'this user may not read it' }),
    })
    expect(find('order.placed')?.mistake).toBe(
      'events/order.placed.schema.json cannot be used: this user may not read it',
    )
  })
})
