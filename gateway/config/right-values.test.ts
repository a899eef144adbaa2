import { describe, expect, test } from 'bun:test'
import { mistakesOf } from '../../tests/support/config-mistakes.ts'

/** A wrong value in nearly every line, beside mistakes that have nothing to do with it. */
const BROKEN = `version: 1
upstreams:
  catalog: { url: http://catalog.test }
  pricing:
    versions: { stable: { targets: [http://a.test] }, canary: { targets: [http://b.test] } }
    policies:
      - gray-release: { weights: { stabel: 90, canary: x } }
routes:
  page:
    path: /page/:id
    methods: [POST]
    policies:
      - rate-limit: { limit: many, window: 1m, by: params.idd }
      - aggregate:
          timeout: 5
          parts:
            a: { upstream: catalog, path: /a, pick: name }
            b: { upstream: catlog, path: "/b/{parts.zz.body}", headers: { x: "{params.idd}" } }
            c: { upstream: catalog, path: "/c/{item}", pick: [x, x], pass-status: [404] }
            d: { upstream: catalog, path: "/{param.id}", query: { a: "{parts.aa.body}" } }
            e: { upstream: catalog, path: "/{parts.d.body}", query: { u: "{claims.sub}" }, fallback-to: fresh }
            f: { upstream: catalog, path: /f, method: DELETE, as: jsn, compensate: { upstream: catlog, path: "/{parts.ff.body}" } }
            g: { path: /g, headers: { Host: x } }
            h: { upstream: catalog, path: "/{write.key}/{parts.g.body}/{parts.f.headers.ETag}" }
`

const AGGREGATE = 'routes.page.policies[1].aggregate'
const A_DURATION = 'expected a duration with its unit, such as "800ms", "10s" or "1m"'

/** Options of an aggregate that are right; a wrong value in the place of any of them is one mistake. */
const RIGHT = {
  timeout: '5s',
  'wait-for-optional': '1s',
  concurrency: 4,
  static: { complete: { version: 1 } },
  'on-conflict': 'first',
  parts: {
    list: { upstream: 'a', path: '/list', required: true, 'pass-status': [404], success: ['2xx'], pick: ['x', 'y'] },
    each: {
      upstream: 'a',
      path: '/each?ids={keys}',
      'for-each': { items: '{parts.list.body.items}', 'at-most': 5, concurrency: 2 },
      batch: { key: '{item.id}', join: 'id' },
      timeout: '1s',
    },
    shaped: { upstream: 'a', path: '/{params.id}', spread: true, pick: ['p'], rename: { p: 'q' }, cache: '10s' },
    unseen: { upstream: 'a', path: '/unseen', hidden: true },
    reader: { upstream: 'a', path: '/{parts.unseen.body.id}', group: 'g', when: { 'query.x': { 'at-least': 1 } } },
    write: {
      upstream: 'a',
      method: 'POST',
      path: '/write',
      body: { id: '{params.id}' },
      after: ['list'],
      compensate: { method: 'DELETE', path: '/write/{parts.write.body.id}', success: ['2xx', 404] },
    },
  },
}

function fileOf(aggregate: unknown): string {
  return JSON.stringify({
    version: 1,
    upstreams: { a: { url: 'http://a.test' } },
    routes: { page: { path: '/page/:id', methods: ['POST'], policies: [{ aggregate }] } },
  })
}

type Path = readonly string[]

/** Everything in a value that is no list's entry, itself left out. */
function placesIn(value: unknown, path: Path = []): Path[] {
  const inner = Object.entries(typeof value === 'object' && !Array.isArray(value) ? Object(value) : {})
  return inner.flatMap(([key, item]) => [[...path, key], ...placesIn(item, [...path, key])])
}

function put(value: unknown, [key, ...rest]: Path, wrong: unknown): unknown {
  if (key === undefined) return wrong
  const mapping = value as Readonly<Record<string, unknown>>
  return { ...mapping, [key]: put(mapping[key], rest, wrong) }
}

describe('a wrong value', () => {
  test('hides nothing that is wrong whatever it was meant to be, and brings nothing that may come of it', () => {
    expect(mistakesOf(BROKEN)).toEqual([
      '7:44  upstreams.pricing.policies[0].gray-release.weights.stabel  unknown version "stabel" of pricing; did you mean "stable"?',
      '7:56  upstreams.pricing.policies[0].gray-release.weights.canary  expected a number, found "x"',
      '13:30  routes.page.policies[0].rate-limit.limit  expected a number, found "many"',
      '13:52  routes.page.policies[0].rate-limit.by  unknown parameter "idd" in "params.idd": the path of page has id; did you mean "id"?',
      '14:9  routes.page.policies[1]  "aggregate" needs the principal from an earlier policy: put "jwt" or "api-key" before it',
      `15:20  ${AGGREGATE}.timeout  ${A_DURATION}, found 5`,
      `17:53  ${AGGREGATE}.parts.a.pick  expected a list as in [name], found "name"`,
      `18:28  ${AGGREGATE}.parts.b.upstream  unknown upstream "catlog"; did you mean "catalog"?`,
      `18:42  ${AGGREGATE}.parts.b.path  unknown part "zz" in "parts.zz.body"`,
      `18:78  ${AGGREGATE}.parts.b.headers.x  unknown parameter "idd" in "params.idd": the path of page has id; did you mean "id"?`,
      `19:43  ${AGGREGATE}.parts.c.path  "item" has no value here: only a part with "for-each" has items`,
      `19:66  ${AGGREGATE}.parts.c.pick[1]  is picked already: "x" brings it`,
      `19:83  ${AGGREGATE}.parts.c.pass-status  is never used: only a required part decides the answer; add "required"`,
      `20:43  ${AGGREGATE}.parts.d.path  unknown name "param" in "param.id"; did you mean "params"?`,
      `20:70  ${AGGREGATE}.parts.d.query.a  unknown part "aa" in "parts.aa.body"; did you mean "a"?`,
      `21:105  ${AGGREGATE}.parts.e.fallback-to  expected "stale" or a mapping, found "fresh"`,
      `22:67  ${AGGREGATE}.parts.f.as  expected one of "json", "xml", "text", "form" or a mapping, found "jsn"`,
      `22:96  ${AGGREGATE}.parts.f.compensate.upstream  unknown upstream "catlog"; did you mean "catalog"?`,
      `22:110  ${AGGREGATE}.parts.f.compensate.path  unknown part "ff" in "parts.ff.body"; did you mean "f"?`,
      `23:16  ${AGGREGATE}.parts.g.upstream  is missing: expected text`,
      `24:43  ${AGGREGATE}.parts.h.path  "write.key" has a value in "compensate" only`,
    ])
  })

  test('is in place of nothing: the file is right without it', () => {
    expect(mistakesOf(fileOf(RIGHT))).toEqual([])
  })

  // What is put into the answer or a body may be anything.
  const places = placesIn(RIGHT).filter((path) => !/complete\.|body\./.test(path.join('.')))

  test.each(places.map((path) => ({ place: path.join('.'), path })))('is the only mistake: $place', ({ path }) => {
    const [first, ...others] = mistakesOf(fileOf(put(RIGHT, path, path.at(-1) === 'body' ? '{' : [[]])))
    expect(others).toEqual([])
    // Of a value that may have several forms, the whole is told.
    const at = first?.split('  ')[1]?.replace('routes.page.policies[0].aggregate.', '') ?? ''
    expect(at !== '' && (at.startsWith(path.join('.')) || path.join('.').startsWith(at))).toBe(true)
  })
})
