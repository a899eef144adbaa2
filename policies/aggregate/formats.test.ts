import { describe, expect, test } from 'bun:test'
import { compositionOf, openPage } from './test-page.ts'

/** Serves one reply as the optional part `a` and gives back what became of it. */
async function composeReply(part: object, body: BodyInit | null, type: string | undefined) {
  const reply = () => new Response(body, { headers: type === undefined ? {} : { 'content-type': type } })
  const page = await openPage({ parts: { a: part, b: {} }, answers: { a: reply, b: {} } })
  const response = await page.fetch()
  const { a } = compositionOf(response).parts
  expect(response.status).toBe(200)
  const { a: shown } = (await response.json()) as { a?: unknown }
  const failed = (page.records[0]?.policies as { aggregate?: { failed?: { cause?: string }[] } })?.aggregate?.failed
  return { outcome: a, shown, cause: failed?.[0]?.cause, accept: page.requestTo('a').headers.get('accept') }
}

const latin = (text: string) => Uint8Array.from(text, (character) => character.charCodeAt(0))

describe('text', () => {
  test.each([
    { name: 'plain text', body: 'it is "5°"\n', type: 'text/plain', shown: 'it is "5°"\n' },
    { name: 'nothing', body: '', type: 'text/plain', shown: '' },
    { name: 'a byte order mark', body: '\uFEFFx', type: 'text/plain; charset=utf-8', shown: 'x' },
    { name: 'another charset', body: latin('5\xb0'), type: 'text/plain; charset=iso-8859-1', shown: '5°' },
    { name: 'UTF-16', body: latin('\x35\x00\xb0\x00'), type: 'text/plain; charset="utf-16le"', shown: '5°' },
  ])('becomes one string: $name', async ({ body, type, shown }) => {
    expect(await composeReply({ as: 'text' }, body, type)).toMatchObject({
      outcome: { ok: true },
      shown,
      accept: 'text/plain',
    })
  })

  test.each([
    { name: 'bytes that are no UTF-8', body: latin('5\xb0'), type: 'text/plain', cause: 'the body is not valid UTF-8' },
    {
      name: 'a charset nobody knows',
      body: 'x',
      type: 'text/plain; charset=klingon',
      cause: 'the charset is "klingon"',
    },
    { name: 'another content type', body: 'x', type: 'text/html', cause: 'the content type is "text/html"' },
    { name: 'no content type', body: latin('x'), type: undefined, cause: 'the reply has no content type' },
  ])('fails its part: $name', async ({ body, type, cause }) => {
    expect(await composeReply({ as: 'text' }, body, type)).toMatchObject({
      outcome: { failed: true, error: 'invalid-response' },
      cause,
    })
  })

  test('is counted as the JSON that it becomes', async () => {
    const { outcome } = await composeReply({ as: 'text', 'max-bytes': '1KiB' }, '\n'.repeat(1_000), 'text/plain')
    expect(outcome).toEqual({ failed: true, error: 'too-large' })
  })

  test('of another type is taken where it is named', async () => {
    const part = { as: 'text', 'content-type': ['text/csv', 'Text/HTML'] }
    expect(await composeReply(part, 'a,b', 'text/csv; header=present')).toMatchObject({
      shown: 'a,b',
      accept: 'text/csv, text/html',
    })
    expect(await composeReply(part, '<p>', 'text/html')).toMatchObject({ shown: '<p>' })
    expect((await composeReply(part, 'a', 'text/plain')).outcome).toEqual({ failed: true, error: 'invalid-response' })
  })
})

describe('JSON', () => {
  test('that says it is something else is taken where that is named', async () => {
    const part = { 'content-type': ['text/html'] }
    expect(await composeReply(part, '{"n":10000000000000001}', 'text/html; charset=utf-8')).toMatchObject({
      outcome: { ok: true },
    })
    expect((await composeReply(part, '<html>', 'text/html')).outcome).toMatchObject({ error: 'invalid-response' })
  })
})

describe('a form', () => {
  const FORM = 'application/x-www-form-urlencoded'
  test.each([
    { name: 'fields', body: 'a=1&b=x+y%26z&c', json: '{"a":"1","b":"x y&z","c":""}' },
    { name: 'repeated fields', body: 'a=1&b=2&a=3&a=', json: '{"a":["1","3",""],"b":"2"}' },
    { name: 'nothing', body: '', json: '{}' },
    { name: 'letters beyond ASCII', body: 'a=%C3%A9é', json: '{"a":"éé"}' },
    {
      name: 'names JavaScript gives a meaning',
      body: 'constructor=1&toString=2',
      json: '{"constructor":"1","toString":"2"}',
    },
  ])('becomes a mapping: $name', async ({ body, json }) => {
    const found = await composeReply({ as: 'form' }, body, FORM)
    expect(found.outcome).toEqual({ ok: true })
    expect(JSON.stringify(found.shown)).toBe(json)
  })

  test('with a field called __proto__ changes nothing but itself', async () => {
    const found = await composeReply({ as: 'form' }, '__proto__=x&__proto__=polluted', FORM)
    expect(JSON.stringify(found.shown)).toBe('{"__proto__":["x","polluted"]}')
    expect('polluted' in {}).toBe(false)
  })

  test.each([
    { name: 'an escape that is no UTF-8', body: 'a=%E9', type: FORM, cause: 'the form has an escape that is no UTF-8' },
    { name: 'half an escape', body: 'a=%4', type: FORM, cause: 'the form has an escape that is no UTF-8' },
    { name: 'bytes that are no UTF-8', body: latin('a=\xe9'), type: FORM, cause: 'the body is not valid UTF-8' },
    { name: 'JSON', body: '{}', type: 'application/json', cause: 'the content type is "application/json"' },
    { name: 'too many fields', body: 'a&'.repeat(10_001), type: FORM, cause: 'the form has more than 10000 fields' },
  ])('fails its part: $name', async ({ body, type, cause }) => {
    expect(await composeReply({ as: 'form' }, body, type)).toMatchObject({
      outcome: { failed: true, error: 'invalid-response' },
      cause,
    })
  })
})

describe('whatever the format', () => {
  test.each([
    { as: 'json', type: 'application/json' },
    { as: 'xml', type: 'text/xml' },
    { as: 'text', type: 'text/plain' },
    { as: 'form', type: 'application/x-www-form-urlencoded' },
  ])('a reply over the limit and one that breaks off fail their part: $as', async ({ as, type }) => {
    const large = await composeReply({ as, 'max-bytes': '1KiB' }, 'x'.repeat(1_025), type)
    expect(large.outcome).toEqual({ failed: true, error: 'too-large' })
    const broken = new ReadableStream({
      start: (controller) => controller.enqueue(new TextEncoder().encode('a')),
      pull: (controller) => controller.error(new Error('reset')),
    })
    const { outcome, cause } = await composeReply({ as }, broken, type)
    expect([outcome, cause]).toEqual([
      { failed: true, error: 'invalid-response' },
      'the body broke off or could not be decoded',
    ])
  })
})
