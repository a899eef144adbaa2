import { describe, expect, test } from 'bun:test'
import { GatewayError } from './errors.ts'
import { ReferenceMistake } from './reference.ts'
import type { Scope } from './scope.ts'
import { parseTemplate } from './template.ts'

function scopeOf(values: Record<string, string | undefined> = {}, more: Partial<Scope> = {}): Scope {
  const read = (name: string) => values[name]
  return {
    params: values as Record<string, string>,
    query: read,
    header: read,
    cookie: read,
    claims: undefined,
    clientIp: '192.0.2.1',
    clientId: undefined,
    route: 'item',
    body: undefined,
    ...more,
  }
}

const path = (source: string, values?: Record<string, string | undefined>) =>
  parseTemplate(source).path(scopeOf(values))
const refusal = (render: () => unknown) => {
  try {
    return `rendered ${render()}`
  } catch (error) {
    return error instanceof GatewayError ? error.code : error
  }
}

describe('a value in a path', () => {
  for (const [value, encoded] of [
    ['a b', 'a%20b'], ['a/b', 'a%2Fb'], ['a?b=c', 'a%3Fb%3Dc'], ['a#b', 'a%23b'], ['@evil.test', '%40evil.test'], ['%2e%2e', '%252e%252e'], ['é', '%C3%A9'],
    ['\r\nSet-Cookie: a', '%0D%0ASet-Cookie%3A%20a'], ['\\..\\', '%5C..%5C'], ['\ud800', '%EF%BF%BD'], ['{x}', '%7Bx%7D'], ['a;b', 'a%3Bb'], ['...', '...'],
  ] as const /* biome-ignore format: a list to be read across */) {
    test(`stays one segment: ${JSON.stringify(value)}`, () => {
      expect(path('/v/{params.id}/full', { id: value })).toBe(`/v/${encoded}/full`)
    })
  }

  for (const value of ['.', '..', '', undefined]) {
    test(`is refused when it would change the path: ${JSON.stringify(value)}`, () => {
      expect(refusal(() => path('/v/{params.id}/full', { id: value }))).toBe('invalid-request')
    })
  }

  test('is refused when it is a number of more digits than are kept', () => {
    const scope = (body: unknown) => scopeOf({}, { body })
    const template = parseTemplate('/v/{body.id}?x={body.id}')
    expect(template.path(scope({ id: Number.MAX_SAFE_INTEGER }))).toBe('/v/9007199254740991?x=9007199254740991')
    expect(template.path(scope({ id: 1.5 }))).toBe('/v/1.5?x=1.5')
    expect(refusal(() => template.path(scope({ id: 2 ** 53 })))).toBe('invalid-request')
  })

  test('may be many keys, with commas between them and encoded within', () => {
    const scope = scopeOf({}, { keys: ['a,b', 'c/d', 3] })
    expect(parseTemplate('/{keys}?of={keys}').path(scope)).toBe('/a%2Cb,c%2Fd,3?of=a%2Cb,c%2Fd,3')
  })

  test('is refused when two values make a dot segment together', () => {
    expect(refusal(() => path('/v/{params.a}{params.b}', { a: '.', b: '.' }))).toBe('invalid-request')
    expect(path('/v/{params.a}-{params.b}', { a: '.', b: '.' })).toBe('/v/.-.')
  })

  test('may span segments when it is the rest, which may be empty', () => {
    expect(path('/{params.*}', { '*': 'a b/c?d/é' })).toBe('/a%20b/c%3Fd/%C3%A9')
    expect(path('/base/{params.*}', { '*': '' })).toBe('/base/')
    expect(refusal(() => path('/base/{params.*}', { '*': '../secret' }))).toBe('invalid-request')
  })

  test('of a query stays one value, and may be missing', () => {
    expect(path('/s?q={query.q}&r={query.r}', { q: 'a&b=c#d\r\n' })).toBe('/s?q=a%26b%3Dc%23d%0D%0A&r=')
  })

  test('cannot bring dot segments into the path before a query', () => {
    expect(refusal(() => path('/v/{params.id}?q=1', { id: '..' }))).toBe('invalid-request')
  })
})

describe('a value in a header field', () => {
  const header = (value: string) => parseTemplate('v={headers.x}').header(scopeOf({ x: value }))

  test('stands as it is', () => {
    expect(header('a "b", c\tÿ')).toBe('v=a "b", c\tÿ')
  })

  for (const value of ['a\r\nb', 'a\nb', 'a\rb', 'a\0b', 'a\u007fb', '\u560a', '€']) {
    test(`is refused with characters no field may have: ${JSON.stringify(value)}`, () => {
      expect(refusal(() => header(value))).toBe('invalid-request')
    })
  }
})

describe('a template', () => {
  test('that is one reference keeps the type of the value', () => {
    const scope = scopeOf({}, { body: { n: 1, list: [1, 2], none: null } })
    expect(parseTemplate('{body.n}').value(scope)).toBe(1)
    expect(parseTemplate('{ body.list }').value(scope)).toEqual([1, 2])
    expect(parseTemplate('{body.none}').value(scope)).toBeNull()
    expect(parseTemplate('n={body.n} {body.list} {body.none}{body.x}').value(scope)).toBe('n=1 [1,2] ')
  })

  for (const source of ['{', '}', '{a', 'a}', '{{params.id}}', '{}', '{params.id}}']) {
    test(`with stray braces is a mistake: ${source}`, () => {
      expect(() => parseTemplate(source)).toThrow(ReferenceMistake)
    })
  }

  test('evaluates nothing', () => {
    for (const source of [
      '{process.env.SECRET}',
      '{constructor.constructor}',
      '{T(java.lang.Runtime)}',
      '{params["id"]}',
      '{params.id()}',
      '{1+1}',
      '{params.a|b}',
    ]) {
      expect(() => parseTemplate(source)).toThrow(ReferenceMistake)
    }
    expect(parseTemplate('$' + '#params.id').text(scopeOf({ id: 'x' }))).toBe('$#params.id')
  })

  test('does not read a value for further references', () => {
    expect(parseTemplate('{params.id}').text(scopeOf({ id: '{params.secret}', secret: 's' }))).toBe('{params.secret}')
  })
})
