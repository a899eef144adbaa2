import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { compositionOf, JSON_TYPE, openPage } from './test-page.ts'

/** The kinds of texts a JSON test suite has: what every parser must take, must refuse, and may do either with. */
const VALID = [
  ...[
    '[]',
    '{}',
    '""',
    '0',
    '-0',
    'true',
    'null',
    ' \t\r\n[1 ]\n',
    '[[]   ]',
    '{"":0}',
    '{"a":{},"a":[]}',
    '[1,null,"",{}]',
  ],
  ...['0e1', '0e+1', '1E22', '1e-2', '1.5E+2', '-0.0', '123456789012345678901234567890', '20e1', '1e-400'],
  ...[
    '"\\u0041\\u005c\\"\\/\\b\\f\\n\\r\\t"',
    '"\\u0000"',
    '"\u007f"',
    '"\\uD834\\uDD1E"',
    '"𝄞"',
    '"\u2028\u2029"',
    '"\uffff"',
    '"asd "',
  ],
  ...['{"__proto__":1}', '{"constructor":{"prototype":1}}', '{"length":2}', `${'['.repeat(64)}${']'.repeat(64)}`],
]
const INVALID = [
  ...[
    '',
    ' ',
    '[',
    ']',
    '{',
    '}',
    '[}',
    '{]',
    '[1',
    '[1,',
    '[,1]',
    '[1,]',
    '[1,,2]',
    '[1 true]',
    '["a"',
    '["a\n"]',
    '["\t"]',
    '[1]]',
    '[]x',
    '{}{}',
  ],
  ...[
    '{"a"}',
    '{"a":}',
    '{a:1}',
    "{'a':1}",
    '{"a":1,}',
    '{,}',
    '{"a" b}',
    '{"a":1 "b":2}',
    '{1:1}',
    '{null:null}',
    '{"a":1}#',
  ],
  ...[
    '01',
    '-01',
    '-',
    '+1',
    '.5',
    '1.',
    '1.e1',
    '1e',
    '1e+',
    '0x1',
    '1_000',
    '--1',
    '1 000',
    'NaN',
    '-NaN',
    'Infinity',
    '-Infinity',
    '1.2.3',
    '0e',
    '１',
  ],
  ...[
    '"',
    '"\\"',
    '"\\x"',
    '"\\u12"',
    '"\\u12G4"',
    '"\\\u0000"',
    '"\u0000"',
    '"\u001f"',
    "'a'",
    'a',
    '"\\',
    '"a" "b"',
    '"\\U0041"',
  ],
  ...[
    'tru',
    'True',
    'nul',
    'undefined',
    'TRUE',
    '<null>',
    '/* */1',
    '1//',
    '\u000b1',
    '\u00a01',
    '\ufeff\ufeff1',
    '[\u2060]',
    '\\u005b\\u005d',
  ],
  ...[
    '['.repeat(65),
    `${'['.repeat(65)}${']'.repeat(65)}`,
    '{"a":'.repeat(70),
    '['.repeat(100_000),
    '{"":[{"":'.repeat(50_000),
  ],
]
const EITHER = [
  '"\\uD800"',
  '"\\uDC00\\uD800"',
  '"\\uDFAA"',
  '[1e400]',
  '[-1e9999]',
  '[0.4e00669999999999999999999999999999]',
  '\ufeff{}',
]

async function compose(body: BodyInit) {
  const page = await openPage({
    parts: { a: {}, b: {} },
    answers: { a: () => new Response(body, { headers: JSON_TYPE }), b: 1 as never },
  })
  const response = await page.fetch()
  expect(response.status).toBe(200)
  const text = await response.text()
  expect(() => JSON.parse(text)).not.toThrow()
  return { outcome: compositionOf(response).parts.a, text }
}

describe('the JSON of an upstream', () => {
  test.each(VALID.map((json) => ({ json })))('is passed on as it came: $json', async ({ json }) => {
    expect(await compose(json)).toEqual({ outcome: { ok: true }, text: `{"a":${json.trim()},"b":1}` })
  })

  test('fails its part alone when it is none', async () => {
    for (const json of INVALID) {
      expect({ json: json.slice(0, 40), ...(await compose(json)) }).toEqual({
        json: json.slice(0, 40),
        outcome: { failed: true, error: 'invalid-response' },
        text: '{"b":1}',
      })
    }
  })

  test.each(EITHER.map((json) => ({ json })))('does no harm where parsers differ: $json', async ({ json }) => {
    const { outcome } = await compose(json)
    expect([{ ok: true }, { failed: true, error: 'invalid-response' }]).toContainEqual(outcome as never)
  })

  test('is told from other bytes as JSON.parse tells it, and never breaks the document', async () => {
    const nearly = fc
      .tuple(fc.json(), fc.nat(), fc.constantFrom('', ',', '"', '}', ']', '\\', '\n', '\u0001', '-', 'e'))
      .map(([json, at, put]) => {
        const cut = at % (json.length + 1)
        return json.slice(0, cut) + put + json.slice(cut + (at % 2))
      })
    await fc.assert(
      fc.asyncProperty(nearly, async (json) => {
        const isJson = parses(json)
        const { outcome } = await compose(json)
        expect(outcome).toEqual(isJson ? { ok: true } : { failed: true, error: 'invalid-response' })
      }),
      { numRuns: 200 },
    )
  }, 60_000)

  test('may be any bytes', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 40 }), async (bytes) => {
        await compose(new Uint8Array(bytes))
      }),
      { numRuns: 100 },
    )
  }, 60_000)
})

describe('two upstreams that use the same keys', () => {
  test('keep apart, a hundred times whoever answers first', async () => {
    for (let run = 0; run < 100; run++) {
      const page = await openPage({ parts: { a: {}, b: {} } })
      const answer = page.fetch()
      await page.clock.advance(0)
      for (const name of run % 2 === 0 ? ['a', 'b'] : ['b', 'a']) await page.answer(name, { id: name, same: 1 })
      expect(await (await answer).text()).toBe('{"a":{"id":"a","same":1},"b":{"id":"b","same":1}}')
    }
  })
})

function parses(json: string): boolean {
  try {
    JSON.parse(json)
    return true
  } catch {
    return false
  }
}
