import { describe, expect, test } from 'bun:test'
import { FRAMES, type MistakeCase, mistakesOf } from '../../tests/support/config-mistakes.ts'

describe('a wrong value of a route, a policy or the file', () => {
  test.each<MistakeCase>([
    { in: 'route', text: '', told: ['3:15  routes.a  expected a mapping, found nothing'] },
    { in: 'route', text: '[]', told: ['3:14  routes.a  expected a mapping, found an empty list'] },
    {
      in: 'route',
      text: '{ path: , upstream: main }',
      told: ['3:22  routes.a.path  expected a path such as "/products/:id", found nothing'],
    },
    {
      in: 'route',
      text: '{ upstream: main }',
      told: ['3:14  routes.a.path  expected a path such as "/products/:id", found nothing'],
    },
    {
      in: 'route',
      text: '{ path: 3, upstream: main }',
      told: ['3:22  routes.a.path  expected a path such as "/products/:id", found 3'],
    },
    {
      in: 'route',
      text: '{ path: products, upstream: main }',
      told: [
        '3:22  routes.a.path  expected a path such as "/products/:id" or "/files/*" (parameters are whole segments, "*" comes last), found "products"',
      ],
    },
    {
      in: 'route',
      text: '{ path: /a/../b, upstream: main }',
      told: ['3:22  routes.a.path  no request ever has a "." or ".." segment in its path: leave it out'],
    },
    {
      in: 'route',
      text: '{ path: /a%2fb, upstream: main }',
      told: [
        '3:22  routes.a.path  expected a path such as "/products/:id" or "/files/*" (parameters are whole segments, "*" comes last), found "/a%2fb"',
      ],
    },
    {
      in: 'route',
      text: '{ path: //a, upstream: main }',
      told: [
        '3:22  routes.a.path  expected a path such as "/products/:id" or "/files/*" (parameters are whole segments, "*" comes last), found "//a"',
      ],
    },
    {
      in: 'route',
      text: '{ path: "/*/a", upstream: main }',
      told: [
        '3:22  routes.a.path  expected a path such as "/products/:id" or "/files/*" (parameters are whole segments, "*" comes last), found "/*/a"',
      ],
    },
    {
      in: 'route',
      text: '{ path: "/a?b", upstream: main }',
      told: [
        '3:22  routes.a.path  expected a path such as "/products/:id" or "/files/*" (parameters are whole segments, "*" comes last), found "/a?b"',
      ],
    },
    {
      in: 'route',
      text: '{ path: "/{id}", upstream: main }',
      told: [
        '3:22  routes.a.path  expected a path such as "/products/:id" or "/files/*" (parameters are whole segments, "*" comes last), found "/{id}"',
      ],
    },
    {
      in: 'route',
      text: '{ path: /, methods: GET, upstream: main }',
      told: ['3:34  routes.a.methods  expected a list as in [GET], found "GET"'],
    },
    {
      in: 'route',
      text: '{ path: /, methods: [get, 1], upstream: main }',
      told: [
        '3:35  routes.a.methods[0]  expected one of "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", found "get"; did you mean "GET"?',
        '3:40  routes.a.methods[1]  expected one of "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", found 1',
      ],
    },
    {
      in: 'route',
      text: '{ path: /, methods: [], upstream: main }',
      told: ['3:34  routes.a.methods  expected at least 1 entry, found an empty list'],
    },
    {
      in: 'route',
      text: '{ path: /, timeout: 10, upstream: main }',
      told: ['3:34  routes.a.timeout  expected a duration with its unit, such as "800ms", "10s" or "1m", found 10'],
    },
    {
      in: 'route',
      text: '{ path: /, body: 1mb, upstream: main }',
      told: ['3:31  routes.a.body  expected a size with its unit, such as "64KiB" or "1MiB", found "1mb"'],
    },
    {
      in: 'route',
      text: '{ path: /, policies: , upstream: main }',
      told: ['3:35  routes.a.policies  expected a list of policies, found nothing'],
    },
    {
      in: 'route',
      text: '{ path: /, policies: respond, upstream: main }',
      told: ['3:35  routes.a.policies  expected a list of policies, found "respond"'],
    },
    {
      in: 'route',
      text: '{ path: /, upstream: [main] }',
      told: ['3:35  routes.a.upstream  expected the name of an upstream or { name, path }, found a list'],
    },
    {
      in: 'route',
      text: '{ path: /, upstream: { path: / } }',
      told: ['3:35  routes.a.upstream.name  is missing: expected text'],
    },
    {
      in: 'route',
      text: '{ path: /, upstream: { name: main, path: x } }',
      told: [
        '3:55  routes.a.upstream.path  expected a path that begins with one "/" and has no spaces, "#" or "\\", found "x"',
      ],
    },
    {
      in: 'route',
      text: '{ path: /, upstream: { name: main, path: "/{body.x}" } }',
      told: ['3:55  routes.a.upstream.path  "body.x" has no value here: a path may read the request but not its body'],
    },
    {
      in: 'routePolicies',
      text: '[1, null, [a], {}, { headers: {}, cors: {} }]',
      told: [
        `3:57  routes.a.policies[0]  expected a policy's name, or its name with options as in "- timeout: 1s", found 1`,
        `3:60  routes.a.policies[1]  expected a policy's name, or its name with options as in "- timeout: 1s", found nothing`,
        `3:66  routes.a.policies[2]  expected a policy's name, or its name with options as in "- timeout: 1s", found a list`,
        `3:71  routes.a.policies[3]  expected a policy's name, or its name with options as in "- timeout: 1s", found an empty mapping`,
        `3:75  routes.a.policies[4]  expected a policy's name, or its name with options as in "- timeout: 1s", found a mapping with "headers", "cors"`,
      ],
    },
    {
      in: 'routePolicies',
      text: '[jwt]',
      told: [
        '3:57  routes.a.policies[0].jwt.issuer  expected a text or a list of texts',
        '3:57  routes.a.policies[0].jwt.audience  expected a text, a list of texts, or false for anyone',
        '3:57  routes.a.policies[0].jwt.algorithms  is missing: expected a list',
      ],
    },
    {
      in: 'routePolicies',
      text: '[{ headers: [] }]',
      told: ['3:68  routes.a.policies[0].headers  expected a mapping, found an empty list'],
    },
    {
      in: 'routePolicies',
      text: '[{ rate-limit: { limit: 0, window: 10 } }]',
      told: [
        '3:80  routes.a.policies[0].rate-limit.limit  expected at least 1, found 0',
        '3:91  routes.a.policies[0].rate-limit.window  expected a duration with its unit, such as "800ms", "10s" or "1m", found 10',
      ],
    },
    {
      in: 'upstreamPolicies',
      text: '[{ timeout: 10 }, { retry: { attempts: many } }, { circuit-breaker: { failure-rate: 50 } }]',
      told: [
        '2:67  upstreams.main.policies[0].timeout  expected a duration such as "800ms", or { after: 800ms }, found 10',
        '2:94  upstreams.main.policies[1].retry.attempts  expected a number, found "many"',
        '2:139  upstreams.main.policies[2].circuit-breaker.failure-rate  expected a percentage such as "50%", found 50',
      ],
    },
    {
      in: 'file',
      text: 'version: 1\nserver:\nupstreams:\npolicies:\nroutes:\n',
      told: [
        '2:8  server  expected a mapping, found nothing',
        '3:11  upstreams  expected upstreams by name, found nothing',
        '4:10  policies  expected policy lists by name, found nothing',
        '5:8  routes  expected routes by name, found nothing',
      ],
    },
    { in: 'file', text: '[]\n', told: ['1:1  expected a mapping with version and routes, found an empty list'] },
    {
      in: 'file',
      text: 'version: "1"\nroutes: {}\n',
      told: ['1:10  version  expected version: 1, found "1"', '2:9  routes  expected at least one route'],
    },
    {
      in: 'file',
      text: 'routes: { a: { path: /, policies: [respond] } }\n',
      told: ['1:1  version  expected version: 1, found nothing'],
    },
    {
      in: 'file',
      text: 'version: 1\nroutes: { A: { path: /, policies: [respond] } }\n',
      told: ['2:11  routes.A  expected a name in kebab-case such as "product-page", found "A"'],
    },
  ])('is told with its place and a way out: $in $text', ({ in: frame, text, told }) => {
    expect(mistakesOf(FRAMES[frame](text))).toEqual([...told])
  })
})
