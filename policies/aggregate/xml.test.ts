import { describe, expect, test } from 'bun:test'
import { compositionOf, openPage } from './test-page.ts'

async function read(body: BodyInit, { as = 'xml', type = 'application/xml' }: { as?: unknown; type?: string } = {}) {
  const reply = () => new Response(body, { headers: { 'content-type': type } })
  const page = await openPage({ parts: { a: { as }, b: {} }, answers: { a: reply, b: {} } })
  const response = await page.fetch()
  const { a } = compositionOf(response).parts
  const text = await response.text()
  const failed = (page.records[0]?.policies as { aggregate?: { failed?: { cause?: string }[] } })?.aggregate?.failed
  return { outcome: a, text, cause: failed?.[0]?.cause }
}

const bytes = (text: string) => Uint8Array.from(text, (character) => character.charCodeAt(0))
const nested = (depth: number) => '<a>'.repeat(depth) + '</a>'.repeat(depth)

describe('an XML reply', () => {
  test.each<{ name: string; body: string; json: object }>([
    { name: 'text', body: '<a>1</a>', json: { a: '1' } },
    { name: 'nothing', body: '<a/>', json: { a: '' } },
    { name: 'space around text', body: '<a>\n  1 2\n</a>', json: { a: '1 2' } },
    { name: 'attributes', body: '<a x="1" y=\'&lt;2\'/>', json: { a: { '@x': '1', '@y': '<2' } } },
    { name: 'attributes and text', body: '<a x="1">t</a>', json: { a: { '@x': '1', '#text': 't' } } },
    { name: 'elements', body: '<a>\n <b>1</b>\n <c/>\n</a>', json: { a: { b: '1', c: '' } } },
    { name: 'a list', body: '<a><b>1</b><c/><b/><b x="1"/></a>', json: { a: { b: ['1', '', { '@x': '1' }], c: '' } } },
    { name: 'mixed content', body: '<a>x <b>y</b> z</a>', json: { a: { b: 'y', '#text': 'x  z' } } },
    { name: 'CDATA', body: '<a>1<![CDATA[<b>&amp;</b>]]>2</a>', json: { a: '1<b>&amp;</b>2' } },
    { name: 'references', body: '<a>&amp;lt; &#65;&#x1F600; &quot;&apos;</a>', json: { a: '&lt; A😀 "\'' } },
    {
      name: 'comments and instructions',
      body: '<?x y?><!-- & --><a><!-- <b> --><?p q?>1</a><!-- -->',
      json: { a: '1' },
    },
    {
      name: 'namespaces, as they are written',
      body: '<s:E xmlns:s="urn:s"><s:B s:at="1">x</s:B></s:E>',
      json: { 's:E': { '@xmlns:s': 'urn:s', 's:B': { '@s:at': '1', '#text': 'x' } } },
    },
    { name: 'a declaration', body: '<?xml version="1.0" encoding="UTF-8"?>\n<a>é</a>', json: { a: 'é' } },
    { name: 'a byte order mark', body: '\uFEFF<?xml version="1.0"?><a/>', json: { a: '' } },
    {
      name: 'names JavaScript gives a meaning',
      body: '<a toString="1"><valueOf>2</valueOf></a>',
      json: { a: { '@toString': '1', valueOf: '2' } },
    },
    {
      name: 'an attribute called __proto__',
      body: '<a __proto__="polluted"/>',
      json: { a: { '@__proto__': 'polluted' } },
    },
    { name: 'text that looks like a number', body: '<a>007</a>', json: { a: '007' } },
  ])('becomes JSON: $name', async ({ body, json }) => {
    const { outcome, text } = await read(body)
    expect(outcome).toEqual({ ok: true })
    expect(text).toBe(`{"a":${JSON.stringify(json)},"b":{}}`)
    expect('polluted' in {}).toBe(false)
  })

  test.each([
    {
      name: 'its declaration',
      body: bytes('<?xml version="1.0" encoding="iso-8859-1"?><a>\xe9</a>'),
      type: 'text/xml',
    },
    { name: 'its content type', body: bytes('<a>\xe9</a>'), type: 'text/xml; charset=iso-8859-1' },
    {
      name: 'its byte order mark',
      body: bytes('\xff\xfe<\0a\0>\0\xe9\0<\0/\0a\0>\0'),
      type: 'text/xml; charset=utf-8',
    },
    { name: 'nothing, which is UTF-8', body: '<a>é</a>', type: 'application/atom+xml' },
  ])('is read in the charset named by $name', async ({ body, type }) => {
    expect((await read(body, { type })).text).toBe('{"a":{"a":"é"},"b":{}}')
  })

  test('has lists where they are declared, however many there are', async () => {
    const as = { xml: { lists: ['item', 'ns:x'] } }
    expect((await read('<a><item>1</item><ns:x/></a>', { as })).text).toBe(
      '{"a":{"a":{"item":["1"],"ns:x":[""]}},"b":{}}',
    )
    expect((await read('<a/>', { as })).text).toBe('{"a":{"a":""},"b":{}}')
  })

  test('is read by other parts, attributes and text too', async () => {
    const page = await openPage({
      parts: {
        a: { as: { xml: { lists: ['item'] } } },
        b: { path: '/b/{parts.a.body.order.@id}', query: { price: '{parts.a.body.order.price.#text}' } },
        c: { path: '/c/{item}', 'for-each': '{parts.a.body.order.item}' },
      },
      answers: {
        a: () =>
          new Response('<order id="7"><price unit="EUR">5</price><item>x</item></order>', {
            headers: { 'content-type': 'text/xml' },
          }),
        b: {},
        c: {},
      },
    })
    expect((await page.fetch()).status).toBe(200)
    expect([...page.urlsOf('b'), ...page.urlsOf('c')]).toEqual(['http://b.test/b/7?price=5', 'http://c.test/c/x'])
  })
})

describe('what is no XML that is read', () => {
  const LAUGHS = `<!DOCTYPE lolz [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]><lolz>&b;</lolz>`
  const MARKUP = 'the XML has a document type or an unfinished comment: neither is read'
  test.each([
    { name: 'a billion laughs', body: LAUGHS, cause: MARKUP },
    {
      name: 'a file from outside',
      body: '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>',
      cause: MARKUP,
    },
    { name: 'one behind a comment that an instruction begins', body: `<?x <!-- ?>${LAUGHS}<!-- -->`, cause: MARKUP },
    {
      name: 'one behind CDATA that an instruction begins',
      body: `<?x <![CDATA[ ?>${LAUGHS}<!-- ]]> -->`,
      cause: MARKUP,
    },
    {
      name: 'one behind a comment that an attribute begins',
      body: `<?x?><a b="<!--"/>${LAUGHS}<!-- -->`,
      cause: 'a "<"',
    },
    { name: 'one behind an instruction without end', body: `<?>${LAUGHS}<?x ?>`, cause: 'a "<"' },
    { name: 'one behind quotes in an instruction', body: `<?x "?><!-- " ?>${LAUGHS}<!-- -->`, cause: 'no partner' },
    {
      name: 'more elements than are read, behind a comment that an instruction begins',
      body: `<?x <!-- ?><a>${'<b/>'.repeat(50_001)}</a><!-- -->`,
      cause: 'more than 50000',
    },
    { name: 'a document type in the middle', body: '<a><!DOCTYPE b></a>', cause: MARKUP },
    { name: 'an entity nobody declared', body: '<a>&nbsp;</a>', cause: 'refers to an entity' },
    {
      name: 'a quadratic blow-up',
      body: `<!DOCTYPE a [<!ENTITY x "${'x'.repeat(50_000)}">]><a>${'&x;'.repeat(50_000)}</a>`,
      cause: MARKUP,
    },
    { name: 'depth of 65', body: nested(65), cause: 'Maximum nested tags exceeded' },
    { name: 'depth of 100,000 elements', body: nested(100_000), cause: 'the XML has more than 50000' },
    { name: 'depth of 20,000 elements', body: nested(20_000), cause: 'Maximum nested tags exceeded' },
    { name: 'too many elements', body: `<r>${'<a/>'.repeat(50_000)}</r>`, cause: 'the XML has more than 50000' },
    {
      name: 'too many attributes',
      body: `<r ${Array.from({ length: 50_000 }, (_, i) => `a${i}=""`).join(' ')}/>`,
      cause: 'the XML has more than 50000',
    },
    { name: 'an attribute given twice', body: '<a x="1" x="2"/>', cause: "Attribute 'x' is repeated" },
    { name: 'a truncated document', body: '<a><b>1</b>', cause: "Unclosed tag 'a'" },
    { name: 'a truncated tag', body: '<a><b', cause: 'not valid XML' },
    { name: 'a truncated comment', body: '<a/><!-- x', cause: MARKUP },
    { name: 'truncated CDATA', body: '<a><![CDATA[x</a>', cause: MARKUP },
    { name: 'tags that cross', body: '<a><b></a></b>', cause: 'Expected closing tag' },
    { name: 'two roots', body: '<a/><b/>', cause: 'not exactly one root' },
    { name: 'text after the root', body: '<a></a>x', cause: 'Extra text' },
    { name: 'nothing', body: '', cause: 'Start tag expected' },
    { name: 'JSON', body: '{}', cause: 'not valid XML' },
    { name: 'an element called __proto__', body: '<a><__proto__/></a>', cause: 'reserved' },
    { name: 'an element called constructor', body: '<a><constructor/></a>', cause: 'reserved' },
    { name: 'a NUL', body: '<a>\0</a>', cause: 'a character that must not be there' },
    { name: 'a reference to a NUL', body: '<a>&#0;</a>', cause: 'a character that must not be there' },
    { name: 'a reference to half a character', body: '<a>&#xD800;</a>', cause: 'a character that must not be there' },
    { name: 'bytes that are no UTF-8', body: bytes('<a>\xe9</a>'), cause: 'not valid UTF-8' },
  ])('fails its part: $name', async ({ body, cause }) => {
    const found = await read(body)
    expect(found.outcome).toEqual({ failed: true, error: 'invalid-response' })
    expect(found.cause).toContain(cause)
    expect(found.text).toBe('{"b":{}}')
  })

  test('fails its part when it says it is HTML', async () => {
    expect((await read('<a/>', { type: 'text/html' })).cause).toBe('the content type is "text/html"')
  })
})
