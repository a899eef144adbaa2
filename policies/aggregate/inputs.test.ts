import { describe, expect, test } from 'bun:test'
import { compositionOf, JSON_TYPE, openPage } from './test-page.ts'

/** Values that would mean something else if they were put into a path or query as they are. */
const VALUES = [
  'a/b',
  '../admin',
  '%2e%2e%2fadmin',
  '%2F',
  'a?b=c',
  'a#b',
  'a&b=c',
  'a b+c',
  'a\r\nx-evil: 1',
  'a\\b',
  '//evil.test/',
  '@evil.test',
  ':8080',
  ';jsessionid=1',
  'ä€𝄞',
  '\0',
  '...',
  'x'.repeat(2_000),
]

const DOTS = ['.', '..']

describe('a value from the client', () => {
  test.each([...VALUES])('stays in its path segment and in its query parameter: %j', async (value) => {
    const page = await openPage({ parts: { a: { path: '/of/{query.v}/x?q={query.v}&end=1' } }, answers: { a: {} } })
    const response = await page.fetch(`/page/1?v=${encodeURIComponent(value)}`)
    expect(response.status).toBe(200)
    const { url, headers } = page.requestTo('a')
    const encoded = encodeURIComponent(value)
    expect(url).toBe(`http://a.test/of/${encoded}/x?q=${encoded}&end=1`)
    expect(new URL(url).searchParams.get('q')).toBe(value)
    expect(headers.has('x-evil')).toBe(false)
  })

  test.each([
    { name: 'the path', part: { path: '/of/{body.text}' } },
    { name: 'the query', part: { query: { q: '{body.text}' } } },
    { name: 'the body', part: { method: 'POST', safe: true, body: { twice: '{body.text}{body.text}' } } },
  ])('is the fault of the client when it is too long for $name', async ({ part }) => {
    const page = await openPage({ parts: { a: { ...part, required: true } } })
    const response = await page.fetch('/page/1', {
      method: 'POST',
      body: JSON.stringify({ text: 'x'.repeat(600_000) }),
      headers: JSON_TYPE,
    })
    expect([response.status, await response.json()]).toMatchObject([
      400,
      { detail: expect.stringContaining('would have more than') },
    ])
    expect(page.asked).toEqual([])
  })

  test.each(DOTS)('is refused as a dot segment: %s', async (value) => {
    const page = await openPage({ parts: { a: { path: '/of/{query.v}', required: true } } })
    const response = await page.fetch(`/page/1?v=${value}`)
    expect(response.status).toBe(400)
    expect(page.asked).toEqual([])
  })

  test.each([
    { name: 'an encoded slash', path: '/page/a%2Fb' },
    { name: 'encoded dots', path: '/page/%2e%2e' },
    { name: 'doubly encoded dots', path: '/page/%252e%252e%252fadmin' },
    { name: 'an encoded question mark and hash', path: '/page/a%3Fb%23c' },
    { name: 'an encoded line break', path: '/page/a%0d%0ax-evil:1' },
    { name: 'an encoded NUL', path: '/page/%00' },
    { name: 'a bad percent sign', path: '/page/%zz' },
  ])('as a path parameter is encoded for its segment or refused: $name', async ({ path }) => {
    const page = await openPage({ parts: { a: { path: '/of/{params.id}', required: true } }, answers: { a: {} } })
    const response = await page.fetch(path)
    if (response.status === 200) {
      const { pathname, search, hash, host } = new URL(page.requestTo('a').url)
      expect(host).toBe('a.test')
      expect(pathname.split('/')).toHaveLength(3)
      expect(pathname.startsWith('/of/')).toBe(true)
      expect([search, hash]).toEqual(['', ''])
    } else {
      expect([400, 404]).toContain(response.status)
      expect(page.asked).toEqual([])
    }
  })
})

describe('a value from another part', () => {
  test.each([...VALUES])('stays in its path segment and in its query parameter: %j', async (value) => {
    const page = await openPage({
      parts: { a: {}, b: { path: '/of/{parts.a.body.v}/x?q={parts.a.body.v}&end=1' } },
      answers: { a: { v: value }, b: {} },
    })
    expect((await page.fetch()).status).toBe(200)
    const encoded = encodeURIComponent(value)
    expect(page.requestTo('b').url).toBe(`http://b.test/of/${encoded}/x?q=${encoded}&end=1`)
  })

  test.each(DOTS)('fails its part as a dot segment: %s', async (value) => {
    const page = await openPage({ parts: { a: {}, b: { path: '/of/{parts.a.body.v}' } }, answers: { a: { v: value } } })
    const response = await page.fetch()
    expect(page.asked).toEqual(['a'])
    expect(compositionOf(response).parts.b).toEqual({ failed: true, error: 'input' })
  })

  test.each([
    { name: 'a number', json: '42', text: '42' },
    { name: 'a boolean', json: 'false', text: 'false' },
    { name: 'a list', json: '["a","b/c"]', text: '%5B%22a%22%2C%22b%2Fc%22%5D' },
    { name: 'a lone surrogate', json: '"\\ud800"', text: '%EF%BF%BD' },
  ])('is text there, whatever its type: $name', async ({ json, text }) => {
    const page = await openPage({
      parts: { a: {}, b: { path: '/of/{parts.a.body}?q={parts.a.body}' } },
      answers: { a: () => new Response(json, { headers: JSON_TYPE }), b: {} },
    })
    expect((await page.fetch()).status).toBe(200)
    expect(page.requestTo('b').url).toBe(`http://b.test/of/${text}?q=${text}`)
  })
})
