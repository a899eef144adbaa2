import { describe, expect, test } from 'bun:test'
import { quickestRun } from '../../tests/support/real-time.ts'
import { parseConfigDocument } from './document.ts'
import { emptyEnvironment } from './environment.ts'
import { describeMistake, type Path } from './mistake.ts'

const parse = (text: string) => parseConfigDocument(text, 'gateway.yaml', emptyEnvironment)
const dataOf = (text: string) => {
  const { data, mistakes } = parse(text)
  expect(mistakes).toEqual([])
  return data
}
/** Every mistake as `line:column path message`. */
const mistakesOf = (text: string) =>
  parse(text).mistakes.map((found) => describeMistake(found).slice('gateway.yaml:'.length))

describe('a text that is accepted', () => {
  test.each<{ name: string; text: string; data: unknown }>([
    { name: 'plain', text: 'a: 1\nb: [x, { y: true }]\n', data: { a: 1, b: ['x', { y: true }] } },
    { name: 'with a byte order mark', text: '\uFEFFa: 1\n', data: { a: 1 } },
    {
      name: 'with Windows line ends',
      text: 'a: 1\r\nb:\r\n  - x\r\nc: |\r\n  y\r\n',
      data: { a: 1, b: ['x'], c: 'y\n' },
    },
    { name: 'with an end marker', text: '---\na: 1\n...\n', data: { a: 1 } },
    { name: 'that names YAML 1.2', text: '%YAML 1.2\n---\na: 1\n', data: { a: 1 } },
    {
      name: 'with words that YAML 1.1 took for switches',
      text: 'a: [yes, no, on, off, y]\n',
      data: { a: ['yes', 'no', 'on', 'off', 'y'] },
    },
    {
      name: 'with sixties and dates as text',
      text: 'a: 12:30:00\nb: 2026-01-01\n',
      data: { a: '12:30:00', b: '2026-01-01' },
    },
    {
      name: 'with the tags of the core schema',
      text: 'a: !!str 1\nb: !!int "2"\nc: !!map {}\n',
      data: { a: '1', b: 2, c: {} },
    },
    {
      name: 'with aliases of values',
      text: 'a: &x 1\nb: *x\nc: &y { d: 2 }\ne: *y\n',
      data: { a: 1, b: 1, c: { d: 2 }, e: { d: 2 } },
    },
    {
      name: 'with a value called constructor',
      text: 'a: constructor\nb: [__proto__]\n',
      data: { a: 'constructor', b: ['__proto__'] },
    },
    { name: 'with nothing but a value', text: 'hello\n', data: 'hello' },
    { name: 'with nothing but null', text: '~\n', data: null },
    { name: 'with numbers and switches as keys', text: '7: x\ntrue: y\n', data: { 7: 'x', true: 'y' } },
    { name: 'of JSON', text: '{"a": [1, 2.5, null, "x"]}', data: { a: [1, 2.5, null, 'x'] } },
  ])('may be $name', ({ text, data }) => {
    expect(dataOf(text)).toEqual(data)
  })

  test('may be almost 4 MiB long', () => {
    expect(dataOf(`a: 1 #${'x'.repeat(4_194_000)}`)).toEqual({ a: 1 })
  })

  test('may hold thousands of keys in one mapping', () => {
    const text = Array.from({ length: 20_000 }, (_, i) => `key-${i}: ${i}`).join('\n')
    const startedMs = performance.now()
    const { data, mistake } = parse(text)
    expect(Object.keys(data as object)).toHaveLength(20_000)
    for (let i = 0; i < 20_000; i++) expect(mistake([`key-${i}`], '').line).toBe(i + 1)
    // Comparing every key with every other took 50 s.
    expect(performance.now() - startedMs).toBeLessThan(10_000)
  })
})

const QUOTE = 'put a value that holds any of { } [ ] , # or ": " in quotes'
const EMPTY = '1:1  the file is empty: it needs at least "version: 1" and "routes"'

describe('a text that is refused', () => {
  test.each<{ name: string; text: string; mistakes: string[] }>([
    { name: 'nothing', text: '', mistakes: [EMPTY] },
    { name: 'spaces and comments', text: '  \n# nothing\n\n', mistakes: [EMPTY] },
    { name: 'a byte order mark alone', text: '\uFEFF', mistakes: [EMPTY] },
    { name: 'a NUL character', text: 'a: 1\nb: "x\0"\n', mistakes: ['2:6  a NUL character: the file is no text file'] },
    { name: 'two documents', text: 'a: 1\n---\nb: 1\n', mistakes: ['2:1  the file holds several documents: keep one'] },
    {
      name: 'YAML 1.1',
      text: '%YAML 1.1\n---\na: yes\n',
      mistakes: ['1:1  this is read as YAML 1.2: remove the "%YAML" line'],
    },
    {
      name: 'a tab for indentation',
      text: 'a:\n\tb: 1\n',
      mistakes: ['2:1  not valid YAML: a tab in the indentation: use spaces'],
    },
    {
      name: 'a key twice',
      text: 'a:\n  b: 1\n  c: 1\n  b: 2\n',
      mistakes: ['4:3  a.b  the key "b" stands twice: keep one'],
    },
    {
      name: 'a key twice in braces',
      text: 'a: [{ b: 1, "b": 2 }]\n',
      mistakes: ['1:13  a[0].b  the key "b" stands twice: keep one'],
    },
    {
      name: 'a key three times',
      text: 'a: 1\na: 2\na: 3\n',
      mistakes: ['2:1  a  the key "a" stands twice: keep one', '3:1  a  the key "a" stands twice: keep one'],
    },
    {
      name: 'a merge key',
      text: 'a: &x { y: 1 }\nb:\n  <<: *x\n',
      mistakes: ['3:3  b.<<  the key "<<" is not accepted'],
    },
    {
      name: 'a tagged merge key',
      text: 'b: { !!merge <<: { y: 1 } }\n',
      mistakes: [
        '1:14  b.<<  the key "<<" is not accepted',
        '1:14  b.<<  tags are not accepted: tag:yaml.org,2002:merge',
      ],
    },
    {
      name: 'a JavaScript function',
      text: 'a: !!js/function "function () {}"\n',
      mistakes: ['1:4  tags are not accepted: tag:yaml.org,2002:js/function'],
    },
    { name: 'a tag of its own', text: 'a:\n  - !foo x\n', mistakes: ['2:5  tags are not accepted: !foo'] },
    {
      name: 'bytes',
      text: 'a: !!binary aGk=\n',
      mistakes: ['1:13  a  tags are not accepted: tag:yaml.org,2002:binary'],
    },
    {
      name: 'a set',
      text: 'a: { b: !!set { x } }\n',
      mistakes: ['1:15  a.b  tags are not accepted: tag:yaml.org,2002:set'],
    },
    {
      name: 'a date',
      text: 'a: [!!timestamp 2026-01-01]\n',
      mistakes: ['1:17  a[0]  tags are not accepted: tag:yaml.org,2002:timestamp'],
    },
    {
      name: 'a tag under another name',
      text: '%TAG ! tag:evil.test,2026:\n---\na: !foo x\n',
      mistakes: ['3:4  tags are not accepted: tag:evil.test,2026:foo'],
    },
    {
      name: 'a number as key',
      text: 'a:\n  1.10: x\n',
      mistakes: ['2:3  a.1.1  keys must be text: write "1.10" in quotes'],
    },
    { name: 'a number twice', text: '1: x\n"1": y\n', mistakes: ['2:1  1  the key "1" stands twice: keep one'] },
    { name: 'no key', text: 'a: 1\n~: x\n', mistakes: ['2:1  null  keys must be text: write "~" in quotes'] },
    { name: 'a mapping as key', text: '? { a: 1 }\n: 2\n', mistakes: ['1:3  ?  keys must be plain names'] },
    { name: 'a list as key', text: '[a]: 2\n', mistakes: ['1:1  ?  keys must be plain names'] },
    { name: 'an alias as key', text: 'a: &x b\n*x : 2\n', mistakes: ['2:1  ?  keys must be plain names'] },
    {
      name: 'an alias of nothing',
      text: 'a:\n  - *x\nb: &x 1\n',
      mistakes: ['2:5  a[0]  no "&x" stands before this "*x"'],
    },
    { name: 'a mapping in itself', text: 'a: &x\n  b:\n    - *x\n', mistakes: ['3:7  a.b[0]  "*x" would hold itself'] },
    { name: 'a list in itself', text: 'a: &x [1, *x]\n', mistakes: ['1:11  a[1]  "*x" would hold itself'] },
    { name: 'an open quote', text: 'a: "x\nb: 1\n', mistakes: ['1:4  not valid YAML: this quote is never closed'] },
    {
      name: 'an open bracket',
      text: 'a: [x, y\nb: 1\n',
      mistakes: ['2:1  not valid YAML: a bracket above is not closed before this line'],
    },
    {
      name: 'a line without a colon',
      text: 'a: 1\nb\nc: 1\n',
      mistakes: ['2:1  not valid YAML: expected "key: value", the ":" is missing'],
    },
    {
      name: 'two colons',
      text: 'a: 1\nb: c: d\n',
      mistakes: [`2:4  not valid YAML: a second ":" in one line: ${QUOTE}, or put what follows on lines of its own`],
    },
    {
      name: 'a template without quotes',
      text: 'a: { path: /{params.id} }\n',
      mistakes: [
        `1:13  not valid YAML: something here does not belong: ${QUOTE} (Unexpected flow-map-start at node end)`,
      ],
    },
    {
      name: 'a reference without quotes in a list',
      text: `a: [$${'{X}'}]\n`,
      mistakes: [`1:6  not valid YAML: Missing , or : between flow sequence items: ${QUOTE}`],
    },
    {
      name: 'a wrong indentation',
      text: 'a:\n    b: 1\n  c: 1\n',
      mistakes: [
        '3:1  not valid YAML: the indentation does not fit the lines above (All mapping items must start at the same column)',
      ],
    },
  ])('is $name', ({ text, mistakes }) => {
    expect(mistakesOf(text)).toEqual(mistakes)
    expect(parse(text).data === undefined || parse(text).mistakes.length > 0).toBe(true)
  })

  test('is longer than 4 MiB', () => {
    expect(mistakesOf(`a: 1 #${'x'.repeat(4_194_304)}`)).toEqual(['1:1  the file is longer than 4194304 characters'])
  })

  test('has no more than twenty syntax errors told, one a line', () => {
    expect(mistakesOf('\ta: 1\n'.repeat(200)).length).toBeLessThanOrEqual(20)
  })
})

describe('a key that could reach the prototype', () => {
  test.each(['__proto__', 'constructor', 'prototype'])('is refused at every level as %s', (key) => {
    const text = [
      `${key}: { polluted: true }`,
      `"${key}": 1`,
      `a: { ${key}: { polluted: true } }`,
      'routes:',
      '  r:',
      '    policies:',
      '      - respond:',
      `          json: { deep: [{ '${key}': { polluted: true } }] }`,
      `      - ${key}: {}`,
    ].join('\n')
    const message = `the key "${key}" is not accepted`
    expect(mistakesOf(text)).toEqual([
      `2:1  ${key}  the key "${key}" stands twice: keep one`,
      `1:1  ${key}  ${message}`,
      `2:1  ${key}  ${message}`,
      `3:6  a.${key}  ${message}`,
      `8:28  routes.r.policies[0].respond.json.deep[0].${key}  ${message}`,
      `9:9  routes.r.policies[1].${key}  ${message}`,
    ])
    expect(({} as Record<string, unknown>).polluted).toBe(undefined)
    expect(Object.prototype).not.toHaveProperty('polluted')
  })
})

describe('a text made to exhaust', () => {
  const letters = 'abcdefghi'
  const laughs = [...letters].map(
    (name, i) =>
      `${name}: &${name} [${Array(9)
        .fill(i === 0 ? 'x' : `*${letters[i - 1]}`)
        .join(',')}]`,
  )
  const TOO_DEEP = /^\d+:\d+ {2}nested too deeply: a configuration needs far fewer levels$/
  const TOO_MANY = /^1:1 {2}its aliases \("\*name"\) stand for too many values$/

  test.each([
    { name: 'aliases of aliases', text: laughs.join('\n'), told: TOO_MANY, withinMs: 100 },
    {
      name: 'aliases of a long list',
      text: `a: &a [${'x,'.repeat(1_000)}]\nb: [${'*a,'.repeat(1_000)}]\n`,
      told: TOO_MANY,
      withinMs: 1_000,
    },
    { name: '100,000 open brackets', text: '['.repeat(100_000), told: TOO_DEEP, withinMs: 1_000 },
    {
      name: '100,000 closed brackets',
      text: `a: ${'['.repeat(100_000)}${']'.repeat(100_000)}`,
      told: TOO_DEEP,
      withinMs: 1_000,
    },
    { name: '100,000 open braces', text: '{a: '.repeat(100_000), told: TOO_DEEP, withinMs: 1_000 },
    { name: '100,000 dashes', text: '- '.repeat(100_000), told: TOO_DEEP, withinMs: 1_000 },
    { name: '100,000 question marks', text: '? '.repeat(100_000), told: TOO_DEEP, withinMs: 1_000 },
    {
      name: '1,000 indentations',
      text: Array.from({ length: 1_000 }, (_, i) => `${' '.repeat(i)}a:`).join('\n'),
      told: TOO_DEEP,
      withinMs: 1_000,
    },
  ])('is refused fast: $name', async ({ text, told, withinMs }) => {
    mistakesOf(laughs.slice(0, 2).join('\n'))
    const tookMs = await quickestRun(withinMs, () => parse(text), 5)
    expect(tookMs).toBeLessThanOrEqual(withinMs)
    const { data, mistakes } = parse(text)
    expect(data).toBe(undefined)
    expect(mistakes).toHaveLength(1)
    expect(mistakes.map((found) => describeMistake(found).slice('gateway.yaml:'.length))[0]).toMatch(told)
  })

  test('is no file that is merely nested', () => {
    expect(parse(`a: ${'['.repeat(50)}${']'.repeat(50)}`).mistakes).toEqual([])
  })
})

describe('the place of a path', () => {
  const text = `a: &shared
  b:
    - x
    - { c: "d", e: [1, 2] }
f: *shared
"g": |
  text
h:
`
  test.each<{ path: Path; value: string; key: string }>([
    { path: [], value: '1:1', key: '1:1' },
    { path: ['a'], value: '2:3', key: '1:1' },
    { path: ['a', 'b', 0], value: '3:7', key: '3:7' },
    { path: ['a', 'b', 1, 'c'], value: '4:12', key: '4:9' },
    { path: ['a', 'b', 1, 'e', 1], value: '4:24', key: '4:24' },
    { path: ['f'], value: '5:4', key: '5:1' },
    { path: ['f', 'b', 1, 'c'], value: '4:12', key: '4:9' },
    { path: ['g'], value: '6:6', key: '6:1' },
    { path: ['h'], value: '8:3', key: '8:1' },
    { path: ['nowhere'], value: '1:1', key: '1:1' },
    { path: ['a', 'nowhere', 'at', 'all'], value: '2:3', key: '2:3' },
    { path: ['a', 'b', 7], value: '3:5', key: '3:5' },
    { path: ['g', 'below', 'text'], value: '6:6', key: '6:6' },
  ])('is found (%#)', ({ path, value, key }) => {
    const { mistake } = parse(text)
    const places = [false, true].map((atKey) => mistake(path, '', atKey)).map(({ line, column }) => `${line}:${column}`)
    expect(places).toEqual([value, key])
  })

  test('is not moved by a byte order mark', () => {
    const { line, column } = parse('\uFEFFa: 1\n').mistake(['a'], '')
    expect([line, column]).toEqual([1, 4])
  })

  test('is the same with Windows line ends', () => {
    const { line, column } = parse(text.replaceAll('\n', '\r\n')).mistake(['a', 'b', 1, 'c'], '')
    expect([line, column]).toEqual([4, 12])
  })
})
