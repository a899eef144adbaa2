import { describe, expect, test } from 'bun:test'
import type { z } from 'zod'
import { bytes, duration, headerName, pathTemplate, percent, reference, show, template } from './fields.ts'
import { check } from './issues.ts'

const read = (field: z.ZodType, text: unknown) => check(field, text, []).value
const refuse = (field: z.ZodType, text: unknown) => check(field, text, []).mistakes.map(({ message }) => message)

describe('duration', () => {
  test.each([
    ['1ms', 1],
    ['800ms', 800],
    ['10s', 10_000],
    ['1.5s', 1_500],
    ['0.0015s', 2],
    ['1m', 60_000],
    ['1.5h', 5_400_000],
    ['7d', 604_800_000],
  ])('reads %s', (text, value) => {
    expect(read(duration, text)).toBe(value)
  })

  test.each([
    { found: 10, shown: '10' },
    { found: '10', shown: '"10"' },
    { found: '', shown: '""' },
    { found: '10 s', shown: '"10 s"' },
    { found: ' 10s', shown: '" 10s"' },
    { found: '10s\n', shown: '"10s\\n"' },
    { found: '-1s', shown: '"-1s"' },
    { found: '+1s', shown: '"+1s"' },
    { found: '1S', shown: '"1S"' },
    { found: '1sec', shown: '"1sec"' },
    { found: '1h30m', shown: '"1h30m"' },
    { found: '.5s', shown: '".5s"' },
    { found: '1e3s', shown: '"1e3s"' },
    { found: '0x10s', shown: '"0x10s"' },
    { found: '١s', shown: '"١s"' },
    { found: 'Infinitys', shown: '"Infinitys"' },
    { found: true, shown: 'true' },
    { found: null, shown: 'nothing' },
    { found: undefined, shown: 'nothing' },
    { found: ['1s'], shown: 'a list' },
    { found: { after: '1s' }, shown: 'a mapping with "after"' },
  ])('refuses $shown', ({ found, shown }) => {
    expect(refuse(duration, found)).toEqual([
      `expected a duration with its unit, such as "800ms", "10s" or "1m", found ${shown}`,
    ])
  })

  test.each(['0s', '0ms', '0.0001ms', '999999999999d'])('refuses %s, which is no time to wait', (text) => {
    expect(refuse(duration, text)).toEqual([
      `expected a duration with its unit, such as "800ms", "10s" or "1m", greater than zero, found "${text}"`,
    ])
  })
})

describe('bytes', () => {
  test.each([
    ['1B', 1],
    ['64KiB', 65_536],
    ['1MiB', 1_048_576],
    ['5MB', 5_000_000],
    ['1.5kB', 1_500],
    ['2GiB', 2_147_483_648],
    ['1GB', 1_000_000_000],
  ])('reads %s', (text, value) => {
    expect(read(bytes, text)).toBe(value)
  })

  test.each(['10', '1mb', '1KB', '1kib', '1 MiB', '-1B', '1TB', 'MiB', '1e3B'])('refuses %s', (text) => {
    expect(refuse(bytes, text)).toEqual([`expected a size with its unit, such as "64KiB" or "1MiB", found "${text}"`])
  })

  test.each(['0B', '0.4B'])('refuses %s, in which nothing fits', (text) => {
    expect(refuse(bytes, text)).toEqual([
      `expected a size with its unit, such as "64KiB" or "1MiB", greater than zero, found "${text}"`,
    ])
  })
})

describe('percent', () => {
  test.each([
    ['0%', 0],
    ['50%', 0.5],
    ['0.25%', 0.0025],
    ['100%', 1],
  ])('reads %s', (text, value) => {
    expect(read(percent, text)).toBeCloseTo(value, 10)
  })

  test.each([
    [50, '50'],
    [0.5, '0.5'],
    ['50', '"50"'],
    ['50 %', '"50 %"'],
    ['-1%', '"-1%"'],
    ['1e1%', '"1e1%"'],
    ['1000%', '"1000%"'],
  ])('refuses %s', (found, shown) => {
    expect(refuse(percent, found)).toEqual([`expected a percentage such as "50%", found ${shown}`])
  })

  test('refuses more than everything', () => {
    expect(refuse(percent, '100.1%')).toEqual(['expected a percentage of at most "100%", found "100.1%"'])
  })
})

describe('reference', () => {
  test.each([
    'client.ip',
    'claims.sub',
    'claims.address.city',
    'headers.x-release',
    'cookies.sid',
    'query.page',
    'body',
    'parts.a.body.b',
  ])('reads %s', (text) => {
    expect(read(reference, text)).toMatchObject({ source: text })
  })

  test.each([
    ['claim.sub', 'unknown name "claim" in "claim.sub"; did you mean "claims"?'],
    ['client.pi', 'unknown name "pi" in "client.pi"; did you mean "ip"?'],
    ['client', 'unknown name "" in "client"; did you mean "ip"?'],
    [
      'process.env.SECRET',
      'unknown name "process" in "process.env.SECRET": say where the value stands, as in "params.id"',
    ],
    ['sku', 'unknown name "sku" in "sku": say where the value stands, as in "params.sku"'],
    ['composition.parts', 'unknown name "parts" in "composition.parts": composition has complete and missing'],
    ['parts.a.id', 'unknown name "id" in "parts.a.id": a part has body, status, headers, as in "parts.a.body.id"'],
    ['claims', '"claims" lacks a name, as in "claims.id"'],
    ['claims..sub', '"claims..sub" is not a name followed by dotted names, as in "claims.sub"'],
    ['claims.a()', '"claims.a()" is not a name followed by dotted names, as in "claims.sub"'],
    ['headers.a.b', '"headers.a.b" goes too deep: headers hold plain values, as in "headers.a"'],
    ['parts.a', '"parts.a" must say which part and what of it, as in "parts.product.body.sku"'],
    ['parts.a.bdy', 'unknown name "bdy" in "parts.a.bdy"; did you mean "body"?'],
    ['', 'unknown name "" in "": say where the value stands, as in "params.id"'],
    [7, 'expected a reference such as "client.ip", found 7'],
  ])('refuses %s', (found, message) => {
    expect(refuse(reference, found)).toEqual([message])
  })
})

describe('template', () => {
  test.each(['', 'plain', '{params.id}', 'a {query.b} c'])('reads "%s"', (text) => {
    expect(read(template, text)).toMatchObject({ source: text })
  })

  test.each([
    ['{parms.id}', 'unknown name "parms" in "parms.id"; did you mean "params"?'],
    ['{params.id', '"{params.id" has a brace without its partner'],
    ['params.id}', '"params.id}" has a brace without its partner'],
    ['{}', 'unknown name "" in "": say where the value stands, as in "params.id"'],
    ['{{params.id}}', '"{{params.id}}" has doubled braces: a reference has one pair, as in "{params.id}"'],
    ['{{params.id}', '"{{params.id}" has a brace without its partner'],
    [
      '{constructor}',
      'unknown name "constructor" in "constructor": say where the value stands, as in "params.constructor"',
    ],
    [
      '#{T(java.lang.Runtime)}',
      'unknown name "T(java" in "T(java.lang.Runtime)": say where the value stands, as in "params.id"',
    ],
    [true, 'expected text, found true'],
  ])('refuses %s', (found, message) => {
    expect(refuse(template, found)[0]).toBe(message)
  })
})

test('a text too long for its place is not shown', () => {
  const text = `/${'x'.repeat(8_192)}`
  expect([reference, template, pathTemplate, headerName].flatMap((field) => refuse(field, text))).toEqual([
    'is longer than 256 characters',
    'is longer than 8192 characters',
    'is longer than 8192 characters',
    'is longer than 128 characters',
  ])
})

describe('pathTemplate', () => {
  test.each(['/', '/a/{params.id}', '/a?b={query.b}'])('reads %s', (text) => {
    expect(read(pathTemplate, text)).toMatchObject({ source: text })
  })

  test.each(['', 'a', '//a.test/x', 'http://a.test/', '/a b', '/a#b', '/a\\b', '/a\nb'])('refuses "%s"', (text) => {
    expect(refuse(pathTemplate, text)).toEqual([
      `expected a path that begins with one "/" and has no spaces, "#" or "\\", found ${JSON.stringify(text)}`,
    ])
  })
})

describe('headerName', () => {
  test('reads a name in lower case', () => {
    expect(read(headerName, 'X-User-Id')).toBe('x-user-id')
  })

  test.each(['', 'x y', 'x:', 'é', 'a\r\nb: c'])('refuses "%s"', (text) => {
    expect(refuse(headerName, text)).toEqual([
      `expected a header name such as "x-user-id", found ${JSON.stringify(text)}`,
    ])
  })
})

describe('a value in a message', () => {
  test.each<[unknown, string]>([
    ['text', '"text"'],
    ['two\nlines', '"two\\nlines"'],
    ['amqp://user:p@ss@host/x', '"amqp://…@host/x"'],
    ['x'.repeat(1_000), `"${'x'.repeat(56)}…`],
    [null, 'nothing'],
    [undefined, 'nothing'],
    [[], 'an empty list'],
    [['secret'], 'a list'],
    [{}, 'an empty mapping'],
    [{ key: 'secret' }, 'a mapping with "key"'],
    [1.5, '1.5'],
    [Number.NaN, 'NaN'],
    [false, 'false'],
  ])('is short, on one line and without secrets (%#)', (value, shown) => {
    expect(show(value)).toBe(shown)
  })
})
