import { describe, expect, test } from 'bun:test'
import { parseConfigDocument } from './document.ts'
import { type Environment, resolveReferences } from './environment.ts'

const variables: Readonly<Record<string, string>> = {
  NAME: 'value',
  EMPTY: '',
  PORT: '8080',
  ON: 'true',
  INJECTED: 'a: 1\nb: [*x, {c: d}]\n"',
  NESTED: `\${NAME}`,
  BRACES: '{"a": 1}',
}
const files: Readonly<Record<string, string>> = {
  '/run/secrets/key': 'from-file\n',
  '/run/secrets/windows': 'a\r\nb\r\n',
  '/run/secrets/with-reference': `\${NAME}`,
  '/run/secrets/empty': '',
}
const environment: Environment = {
  variable: (name) => (Object.hasOwn(variables, name) ? variables[name] : undefined),
  file: (path) => (Object.hasOwn(files, path) ? files[path] : undefined),
}

/** `$` before a brace, without a template literal in sight. */
const reference = (inner: string) => `$${inner}`

describe('a text with references', () => {
  test.each([
    { written: 'plain', value: 'plain' },
    { written: '$NAME and $', value: '$NAME and $' },
    { written: reference('{NAME}'), value: 'value' },
    { written: `a-${reference('{NAME}')}-${reference('{NAME}')}-b`, value: 'a-value-value-b' },
    { written: reference('{NAME:-other}'), value: 'value' },
    { written: reference('{MISSING:-other}'), value: 'other' },
    { written: reference('{MISSING:-}'), value: '' },
    { written: reference('{MISSING:-a:-b}'), value: 'a:-b' },
    { written: reference('{MISSING:-http://127.0.0.1:1/x?y=z}'), value: 'http://127.0.0.1:1/x?y=z' },
    { written: reference('{EMPTY}'), value: '' },
    { written: reference('{EMPTY:-other}'), value: 'other' },
    { written: reference('{NESTED}'), value: reference('{NAME}') },
    { written: reference('{BRACES}'), value: '{"a": 1}' },
    { written: reference('{file:/run/secrets/key}'), value: 'from-file' },
    { written: reference('{file:/run/secrets/windows}'), value: 'a\r\nb' },
    { written: reference('{file:/run/secrets/empty}'), value: '' },
    { written: reference('{file:/run/secrets/with-reference}'), value: reference('{NAME}') },
    { written: `$${reference('{NAME}')}`, value: reference('{NAME}') },
    { written: `$${reference('{')}`, value: reference('{') },
    { written: `$${reference('{NAME}')} ${reference('{NAME}')}`, value: `${reference('{NAME}')} value` },
  ])('reads $written', ({ written, value }) => {
    expect(resolveReferences(written, environment)).toEqual({ value, changed: written.includes('${') })
  })

  test.each([
    {
      written: '{MISSING}',
      mistake: `environment variable MISSING is not set: set it, or give a default as in \${MISSING:-…}`,
    },
    { written: '{NAME', mistake: `"\${NAME" lacks its closing brace` },
    { written: '{', mistake: `"\${" lacks its closing brace` },
    { written: '{file:/nowhere}', mistake: 'file "/nowhere" cannot be read: there is no such file' },
    { written: '{file:}', mistake: `"\${file:}" lacks the path of a file, as in "\${file:/run/secrets/name}"` },
    {
      written: `{MISSING:-${reference('{NAME}')}}`,
      mistake: `"\${MISSING:-\${NAME}" has a brace within: a default cannot hold braces or another reference`,
    },
    {
      written: '{NAME:-{}}',
      mistake: `"\${NAME:-{}" has a brace within: a default cannot hold braces or another reference`,
    },
  ])('refuses $written', ({ written, mistake }) => {
    expect(resolveReferences(reference(written), environment)).toEqual({ mistake })
  })

  test.each([
    '{}',
    '{process.env.NAME}',
    '{NAME.length}',
    '{NAME:=x}',
    '{NAME-x}',
    '{1}',
    '{a b}',
    '{ NAME }',
    '{__proto__.x}',
    '{1+1}',
    '{NAME()}',
    '{env:NAME}',
    '{#T(java.lang.Runtime)}',
  ])('evaluates nothing in %s', (written) => {
    expect(resolveReferences(reference(written), environment)).toEqual({
      mistake: `"\${${written.slice(1, -1)}}" is not an environment reference: write \${NAME}, \${NAME:-default} or \${file:/path}`,
    })
  })

  test('says how a value of the request is written', () => {
    expect(resolveReferences(reference('{params.id}'), environment)).toEqual({
      mistake: `"\${params.id}" is not an environment reference: a value of the request is written {params.id}, without the "$"`,
    })
  })

  test.each(['__proto__', 'constructor', 'toString'])('finds no variable called %s', (name) => {
    expect(resolveReferences(reference(`{${name}}`), environment)).toHaveProperty('mistake')
  })

  test('shows no more than the beginning of a reference that never ends', () => {
    const resolved = resolveReferences(reference(`{${'x'.repeat(100_000)}`), environment)
    expect('mistake' in resolved && resolved.mistake.length).toBeLessThan(120)
  })
})

/** What a value of the file becomes. */
function read(written: string): unknown {
  const { data, mistakes } = parseConfigDocument(`key: ${written}\n`, 'gateway.yaml', environment)
  expect(mistakes).toEqual([])
  return (data as { key: unknown }).key
}

describe('a reference as a value of the file', () => {
  test.each<{ written: string; value: unknown }>([
    { written: reference('{PORT}'), value: 8080 },
    { written: reference('{MISSING:-8787}'), value: 8787 },
    { written: reference('{MISSING:--1.5}'), value: -1.5 },
    { written: reference('{ON}'), value: true },
    { written: reference('{MISSING:-false}'), value: false },
    { written: `"${reference('{PORT}')}"`, value: '8080' },
    { written: `'${reference('{ON}')}'`, value: 'true' },
    { written: `1${reference('{PORT}')}`, value: 18080 },
    { written: reference('{MISSING:-0123}'), value: '0123' },
    { written: reference('{MISSING:-0x10}'), value: '0x10' },
    { written: reference('{MISSING:-1e3}'), value: '1e3' },
    { written: reference('{MISSING:-.inf}'), value: '.inf' },
    { written: reference('{MISSING:-12345678901234567890}'), value: '12345678901234567890' },
    { written: reference('{MISSING:-null}'), value: 'null' },
    { written: reference('{MISSING:-TRUE}'), value: 'TRUE' },
    { written: reference('{EMPTY}'), value: '' },
    { written: `{ a: "${reference('{PORT}')}", b: [ "${reference('{NAME}')}" ] }`, value: { a: '8080', b: ['value'] } },
    { written: `|\n  one ${reference('{NAME}')}\n  two ${reference('{PORT}')}`, value: 'one value\ntwo 8080\n' },
    { written: `>-\n  ${reference('{PORT}')}`, value: '8080' },
    { written: `$${reference('{PORT}')}`, value: reference('{PORT}') },
  ])('reads $written', ({ written, value }) => {
    expect(read(written)).toEqual(value)
  })

  test.each([reference('{INJECTED}'), `"${reference('{INJECTED}')}"`, `["${reference('{INJECTED}')}"]`])(
    'stays one value in %s, whatever YAML a variable holds',
    (written) => {
      expect([read(written)].flat()).toEqual([variables.INJECTED])
    },
  )

  test('is read once through an anchor and all its aliases', () => {
    const text = `a: &port ${reference('{PORT}')}\nb: *port\n`
    expect(parseConfigDocument(text, 'gateway.yaml', environment).data).toEqual({ a: 8080, b: 8080 })
  })

  test('is left alone in keys and comments', () => {
    const text = `${reference('{MISSING}')}: 1 # ${reference('{MISSING}')}\n`
    const { data, mistakes } = parseConfigDocument(text, 'gateway.yaml', environment)
    expect([data, mistakes]).toEqual([{ [reference('{MISSING}')]: 1 }, []])
  })

  test('tells every reference that leads nowhere, each at its own place', () => {
    const text = `a:\n  - x\n  - b: "${reference('{ONE}')}"\nc: ${reference('{file:/nowhere}')}\nd: |\n  text\n  ${reference('{TWO}')}\n`
    const { mistakes } = parseConfigDocument(text, 'gateway.yaml', environment)
    expect(
      mistakes.map(({ line, column, path, message }) => `${line}:${column} ${path} ${message.slice(0, 28)}`),
    ).toEqual([
      '3:8 a[1].b environment variable ONE is ',
      '4:4 c file "/nowhere" cannot be re',
      '5:4 d environment variable TWO is ',
    ])
  })
})
