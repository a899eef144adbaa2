import { describe, expect, test } from 'bun:test'
import { mistakesOf } from '../../tests/support/config-mistakes.ts'
import { pageConfig } from './test-page.ts'

interface Bounds {
  readonly settings?: object
  /** Of the parts `a`, which is required unless it says otherwise, and `b`, which is asked for each item of `a`. */
  readonly a?: object
  readonly b?: object
  readonly route?: object
  /** Timeout of routes that have no other. */
  readonly usual?: unknown
}

/** What is told of them, without the line, which is the first. */
function told({ settings = {}, a, b, route = {}, usual }: Bounds): string[] {
  const config = JSON.parse(
    pageConfig({
      parts: { a: { required: true, ...a }, b: { 'for-each': '{parts.a.body}', path: '/{item}', ...b } },
      settings,
      route,
    }),
  )
  const server = usual === undefined ? {} : { server: { limits: { timeout: usual } } }
  return mistakesOf(JSON.stringify({ ...config, ...server }))
    .map((mistake) => mistake.replace(/^1:\d+ {2}/, ''))
    .map((mistake) => mistake.replace('routes.page.policies[0].aggregate.', ''))
}

const OPTIONAL = { required: false }
const OF_ROUTE =
  "is never reached: the route's timeout of 10s leaves 9.9s to compose in; shorten it, or raise the route's"
const OF_ALL = `is never reached: the aggregate's "timeout" ends all parts after 1s; shorten it, or raise that`
const OF_WAIT = (ms: number) =>
  `is never reached: no part is required, so "wait-for-optional" ends all of them after ${ms}ms; shorten it, or raise that`
const each = (concurrency: number) => ({ 'for-each': { items: '{parts.a.body}', concurrency } })

describe('a bound of an aggregate', () => {
  test.each<Bounds & { readonly name: string; readonly mistakes: readonly string[] }>([
    {
      name: 'the time of a composition within that of a route without one of its own',
      settings: { timeout: '20s' },
      mistakes: [`timeout  ${OF_ROUTE}`],
    },
    {
      name: 'a time for which nothing would be left to answer in',
      settings: { timeout: '9901ms' },
      mistakes: [`timeout  ${OF_ROUTE}`],
    },
    {
      name: 'the time of a composition within that of its route',
      settings: { timeout: '1s' },
      route: { timeout: '500ms' },
      mistakes: [
        "timeout  is never reached: the route's timeout of 500ms leaves 450ms to compose in; shorten it, or raise the route's",
      ],
    },
    {
      name: 'the time of a composition within the usual one of the file',
      settings: { timeout: '2m' },
      usual: '90s',
      mistakes: [
        "timeout  is never reached: the route's timeout of 90s leaves 89.9s to compose in; shorten it, or raise the route's",
      ],
    },
    {
      name: 'the time of a part within that of the route',
      a: { timeout: '30s' },
      mistakes: [`parts.a.timeout  ${OF_ROUTE}`],
    },
    {
      name: 'the time of a part within that of the composition',
      settings: { timeout: '1s' },
      b: { timeout: '1001ms' },
      mistakes: [`parts.b.timeout  ${OF_ALL}`],
    },
    {
      name: 'a wait for optional parts within the time of the composition',
      settings: { timeout: '1s', 'wait-for-optional': '1s' },
      mistakes: [`wait-for-optional  ${OF_ALL}`],
    },
    {
      name: 'a wait for optional parts within the time of the route',
      settings: { 'wait-for-optional': '9900ms' },
      mistakes: [`wait-for-optional  ${OF_ROUTE}`],
    },
    {
      name: 'every other time where optional parts are waited for from the start',
      settings: { timeout: '1s', 'wait-for-optional': '200ms' },
      a: { ...OPTIONAL, timeout: '300ms' },
      mistakes: [`timeout  ${OF_WAIT(200)}`, `parts.a.timeout  ${OF_WAIT(200)}`],
    },
    {
      name: 'more calls for a list than at once',
      settings: { concurrency: 2 },
      b: each(8),
      mistakes: [
        `parts.b.for-each.concurrency  is never reached: the aggregate's "concurrency" lets 2 calls run at once; lower it, or raise that`,
      ],
    },
    {
      name: 'more calls for a list than at once, by default',
      b: each(17),
      mistakes: [
        `parts.b.for-each.concurrency  is never reached: the aggregate's "concurrency" lets 16 calls run at once; lower it, or raise that`,
      ],
    },
  ])('is refused where a smaller one always comes first: $name', ({ mistakes, ...bounds }) => {
    expect(told(bounds).toSorted()).toEqual([...mistakes].toSorted())
  })

  test.each<Bounds & { readonly name: string }>([
    { name: 'the most there is', settings: { timeout: '9900ms' }, a: { timeout: '9900ms' }, b: each(16) },
    { name: 'that of the composition', settings: { timeout: '1s', concurrency: 2 }, a: { timeout: '1s' }, b: each(2) },
    {
      name: 'longer than the wait, once something is required',
      settings: { timeout: '1s', 'wait-for-optional': '200ms' },
      b: { timeout: '300ms' },
    },
    { name: 'the wait from the start', settings: { timeout: '1s', 'wait-for-optional': '1s' }, a: OPTIONAL },
    { name: 'within a longer route', settings: { timeout: '20s' }, route: { timeout: '30s' } },
    { name: 'within a longer usual time', settings: { timeout: '20s' }, usual: '30s' },
  ])('is taken where it can be reached or says what holds anyway: $name', (bounds) => {
    expect(told(bounds)).toEqual([])
  })

  test('is not judged by a time that cannot be read', () => {
    expect(told({ settings: { timeout: '20s' }, route: { timeout: 5 } })).toEqual([
      'routes.page.timeout  expected a duration with its unit, such as "800ms", "10s" or "1m", found 5',
    ])
    expect(told({ settings: { timeout: '20s' }, usual: 5 })).toEqual([
      'server.limits.timeout  expected a duration with its unit, such as "800ms", "10s" or "1m", found 5',
    ])
  })

  test('is told beside other mistakes of the file', () => {
    expect(told({ settings: { timeout: '20s' }, a: { upstream: 'x', pick: 5 } })).toEqual([
      'parts.a.upstream  unknown upstream "x"; did you mean "a"?',
      'parts.a.pick  expected a list as in [5], found 5',
      `timeout  ${OF_ROUTE}`,
    ])
  })
})
