import { describe, expect, test } from 'bun:test'
import { FRAMES, type MistakeCase, mistakesOf } from '../../tests/support/config-mistakes.ts'

describe('a misspelt name', () => {
  test.each<MistakeCase>([
    {
      in: 'file',
      text: 'verison: 1\nroutes: { a: { path: /, policies: [respond] } }\n',
      told: ['1:1  verison  unknown key "verison"; did you mean "version"?'],
    },
    {
      in: 'file',
      text: 'version: 1\nupstream: {}\nroutes: { a: { path: /, policies: [respond] } }\n',
      told: ['2:1  upstream  unknown key "upstream"; did you mean "upstreams"?'],
    },
    { in: 'server', text: '{ prot: 1 }', told: ['2:11  server.prot  unknown key "prot"; did you mean "port"?'] },
    {
      in: 'server',
      text: '{ limits: { timeot: 1s } }',
      told: ['2:21  server.limits.timeot  unknown key "timeot"; did you mean "timeout"?'],
    },
    {
      in: 'server',
      text: '{ admin: { hots: a } }',
      told: ['2:20  server.admin.hots  unknown key "hots"; did you mean "host"?'],
    },
    {
      in: 'services',
      text: '{ stroe: "memory:" }',
      told: ['2:13  services.stroe  unknown key "stroe"; did you mean "store"?'],
    },
    {
      in: 'upstream',
      text: '{ url: http://a.test, ballance: hash }',
      told: ['2:42  upstreams.main.ballance  unknown key "ballance"; did you mean "balance"?'],
    },
    {
      in: 'upstream',
      text: '{ targets: [{ url: http://a.test, wieght: 1 }] }',
      told: ['2:54  upstreams.main.targets[0].wieght  unknown key "wieght"; did you mean "weight"?'],
    },
    {
      in: 'upstream',
      text: '{ url: http://a.test, balance: round-robbin }',
      told: [
        '2:51  upstreams.main.balance  expected one of "round-robin", "random", "least-requests", "p2c-ewma", "hash", found "round-robbin"; did you mean "round-robin"?',
      ],
    },
    {
      in: 'route',
      text: '{ path: /, upstrem: main }',
      told: ['3:25  routes.a.upstrem  unknown key "upstrem"; did you mean "upstream"?'],
    },
    {
      in: 'route',
      text: '{ path: /, upstream: mian }',
      told: ['3:35  routes.a.upstream  unknown upstream "mian"; did you mean "main"?'],
    },
    {
      in: 'route',
      text: '{ path: /, upstream: { name: mian } }',
      told: ['3:43  routes.a.upstream.name  unknown upstream "mian"; did you mean "main"?'],
    },
    {
      in: 'route',
      text: '{ path: /, upstream: { name: main, pth: / } }',
      told: ['3:49  routes.a.upstream.pth  unknown key "pth"; did you mean "path"?'],
    },
    {
      in: 'route',
      text: '{ path: /, methods: [FETCH], upstream: main }',
      told: [
        '3:35  routes.a.methods[0]  expected one of "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", found "FETCH"',
      ],
    },
    {
      in: 'route',
      text: '{ path: /, methods: [GTE], upstream: main }',
      told: [
        '3:35  routes.a.methods[0]  expected one of "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", found "GTE"; did you mean "GET"?',
      ],
    },
    {
      in: 'route',
      text: '{ path: /a/:id, upstream: { name: main, path: "/{params.di}" } }',
      told: ['3:60  routes.a.upstream.path  unknown parameter "di" in "params.di"; did you mean "id"?'],
    },
    {
      in: 'route',
      text: '{ path: /a/:id, upstream: { name: main, path: "/{parms.id}" } }',
      told: ['3:60  routes.a.upstream.path  unknown name "parms" in "parms.id"; did you mean "params"?'],
    },
    {
      in: 'routePolicies',
      text: '[rate-limt]',
      told: ['3:57  routes.a.policies[0]  unknown policy "rate-limt"; did you mean "rate-limit"?'],
    },
    {
      in: 'routePolicies',
      text: '[{ rate-limt: { limit: 1 } }]',
      told: ['3:57  routes.a.policies[0]  unknown policy "rate-limt"; did you mean "rate-limit"?'],
    },
    {
      in: 'routePolicies',
      text: '[{ rate-limit: { limit: 1, windw: 1s } }]',
      told: ['3:83  routes.a.policies[0].rate-limit.windw  unknown key "windw"; did you mean "window"?'],
    },
    {
      in: 'routePolicies',
      text: '[{ rate-limit: { limit: 1, window: 1s, by: clams.sub } }]',
      told: ['3:99  routes.a.policies[0].rate-limit.by  unknown name "clams" in "clams.sub"; did you mean "claims"?'],
    },
    {
      in: 'routePolicies',
      text: '[{ rate-limit: { limit: 1, window: 1s, by: params.idd } }]',
      told: [
        '3:99  routes.a.policies[0].rate-limit.by  unknown parameter "idd" in "params.idd": the path of a has id; did you mean "id"?',
      ],
    },
    {
      in: 'routePolicies',
      text: '[{ rate-limit: { limit: 1, window: 1s, on-store-failure: alow } }]',
      told: [
        '3:113  routes.a.policies[0].rate-limit.on-store-failure  expected one of "allow", "deny", "local", found "alow"; did you mean "allow"?',
      ],
    },
    {
      in: 'routePolicies',
      text: '[{ headers: { request: { set: { x: "{client.pi}" } } } }]',
      told: ['3:91  routes.a.policies[0].headers.request.set.x  unknown name "pi" in "client.pi"; did you mean "ip"?'],
    },
    {
      in: 'upstreamPolicies',
      text: '[{ retry: { attemps: 2 } }]',
      told: ['2:67  upstreams.main.policies[0].retry.attemps  unknown key "attemps"; did you mean "attempts"?'],
    },
    {
      in: 'upstreamPolicies',
      text: '[{ timeout: { aftr: 1s } }]',
      told: ['2:69  upstreams.main.policies[0].timeout.aftr  unknown key "aftr"; did you mean "after"?'],
    },
    {
      in: 'file',
      text: 'version: 1\nupstreams:\n  u:\n    versions: { stable: { targets: [http://a.test] }, canary: { targets: [http://b.test] } }\n    policies: [{ gray-release: { weights: { stabel: 1 }, rules: [{ when: { headers.x: y }, version: cannary }] } }]\nroutes: { a: { path: /, upstream: u } }\n',
      told: [
        '5:53  upstreams.u.policies[0].gray-release.weights.stabel  unknown version "stabel" of u; did you mean "stable"?',
        '5:101  upstreams.u.policies[0].gray-release.rules[0].version  unknown version "cannary" of u; did you mean "canary"?',
      ],
    },
    {
      in: 'file',
      text: 'version: 1\npolicies: { signed-in: [headers] }\nroutes: { a: { path: /, policies: [singed-in, respond] } }\n',
      told: ['3:36  routes.a.policies[0]  unknown policy "singed-in"; did you mean "signed-in"?'],
    },
    {
      in: 'file',
      text: 'version: 1\nupstreams: { catalog: { url: http://a.test } }\nroutes: { a: { path: /, policies: [{ aggregate: { parts: { p: { upstream: catlog, path: / }, q: { upstream: catalog, path: "/{parts.pp.body.x}" } } } }] } }\n',
      told: [
        '3:75  routes.a.policies[0].aggregate.parts.p.upstream  unknown upstream "catlog"; did you mean "catalog"?',
        '3:124  routes.a.policies[0].aggregate.parts.q.path  unknown part "pp" in "parts.pp.body.x"; did you mean "p"?',
      ],
    },
    {
      in: 'route',
      text: '{ path: /, upstream: something-else-entirely }',
      told: ['3:35  routes.a.upstream  unknown upstream "something-else-entirely"'],
    },
  ])('is told with its place and a way out: $in $text', ({ in: frame, text, told }) => {
    expect(mistakesOf(FRAMES[frame](text))).toEqual([...told])
  })
})

describe('a part that does not fit the others', () => {
  test.each<MistakeCase>([
    {
      in: 'route',
      text: '{ path: / }',
      told: ['3:11  routes.a  the route leads nowhere: give it an upstream, or a policy that ends the chain'],
    },
    {
      in: 'route',
      text: '{ path: /, policies: [headers] }',
      told: ['3:11  routes.a  the route leads nowhere: give it an upstream, or a policy that ends the chain'],
    },
    {
      in: 'route',
      text: '{ path: /, policies: [respond], upstream: main }',
      told: ['3:46  routes.a.upstream  the upstream is never reached: "respond" ends the chain'],
    },
    {
      in: 'route',
      text: '{ path: /, policies: [respond, headers] }',
      told: ['3:45  routes.a.policies[1]  "headers" never runs: "respond" before it ends the chain'],
    },
    {
      in: 'route',
      text: '{ path: /:a/:a, upstream: main }',
      told: ['3:22  routes.a.path  the parameter "a" stands twice'],
    },
    {
      in: 'route',
      text: '{ path: /a, upstream: main }, b: { path: /a, upstream: main }',
      told: ['3:55  routes.b.path  "/a" answers the same requests as route "a" (/a)'],
    },
    {
      in: 'route',
      text: '{ path: /:x, methods: [GET, PUT], upstream: main }, b: { path: /:y, methods: [POST, PUT], upstream: main }',
      told: ['3:77  routes.b.path  "/:y" answers the same requests as route "a" (/:x)'],
    },
    {
      in: 'route',
      text: '{ path: "/f/*", upstream: main }, b: { path: "/f/*", methods: [GET], upstream: main }',
      told: ['3:59  routes.b.path  "/f/*" answers the same requests as route "a" (/f/*)'],
    },
    {
      in: 'route',
      text: '{ path: /a, methods: [GTE], upstream: main }, b: { path: /a, upstream: main }',
      told: [
        '3:36  routes.a.methods[0]  expected one of "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", found "GTE"; did you mean "GET"?',
      ],
    },
    {
      in: 'route',
      text: '{ path: /, upstream: { name: mian, path: x } }',
      told: [
        '3:43  routes.a.upstream.name  unknown upstream "mian"; did you mean "main"?',
        '3:55  routes.a.upstream.path  expected a path that begins with one "/" and has no spaces, "#" or "\\", found "x"',
      ],
    },
    {
      in: 'routePolicies',
      text: '[{ timeout: 1s }]',
      told: [
        '3:57  routes.a.policies[0]  "timeout" works around single upstream calls: move it to upstreams.<name>.policies',
      ],
    },
    {
      in: 'upstreamPolicies',
      text: '[{ headers: {} }]',
      told: [
        '2:56  upstreams.main.policies[0]  "headers" works around a whole route: move it to routes.<name>.policies',
      ],
    },
    {
      in: 'routePolicies',
      text: '[{ rate-limit: { limit: 1, window: 1s, by: claims.sub } }]',
      told: [
        '3:57  routes.a.policies[0]  "rate-limit" needs the principal from an earlier policy: put "jwt" or "api-key" before it',
      ],
    },
    {
      in: 'routePolicies',
      text: '[{ rate-limit: { limit: 1, window: 1s, by: client.id } }, { jwt: { jwks: "https://id.test/k", issuer: a, audience: b, algorithms: [ES256] } }]',
      told: [
        '3:57  routes.a.policies[0]  "rate-limit" needs the principal from an earlier policy: put "jwt" or "api-key" before it',
      ],
    },
    {
      in: 'routePolicies',
      text: '[{ headers: { request: { set: { x: "{response.body}" } } } }]',
      told: [
        '3:91  routes.a.policies[0].headers.request.set.x  "response.body" has no value here: "headers" has no response',
      ],
    },
    {
      in: 'upstreamPolicies',
      text: '[{ gray-release: { weights: { a: 1 } } }]',
      told: [
        '2:72  upstreams.main.policies[0].gray-release  needs versions to choose from: give main "versions" instead of a URL or targets',
      ],
    },
    {
      in: 'file',
      text: 'version: 1\nupstreams:\n  u:\n    versions: { a: { targets: [http://a.test] }, b: { targets: [http://b.test] } }\nroutes: { a: { path: /, upstream: u } }\n',
      told: [
        '4:5  upstreams.u.versions  nothing chooses among the versions: add a gray-release policy to this upstream',
      ],
    },
    {
      in: 'file',
      text: 'version: 1\npolicies: { one: [headers], two: [one], three: [{ timeout: 1x }], four: x, five: [nope] }\nroutes: { a: { path: /, policies: [one: {}, two, respond, one] } }\n',
      told: [
        '2:35  policies.two[0]  "one" is a named list: lists cannot hold lists',
        '2:60  policies.three[0].timeout  expected a duration with its unit, such as "800ms", "10s" or "1m", found "1x"',
        '2:73  policies.four  expected a list of policies, found "x"',
        '2:83  policies.five[0]  unknown policy "nope"',
        '3:36  routes.a.policies[0].one  "one" is a named list and takes no options: write "- one"',
        '3:59  routes.a.policies[3]  "headers" never runs: "respond" before it ends the chain',
      ],
    },
    {
      in: 'file',
      text: 'version: 1\nupstreams: { u: { url: http://u.test, policies: [slow] } }\npolicies: { slow: [timeout: 1s] }\nroutes: { a: { path: /, upstream: u, policies: [slow] } }\n',
      told: [
        '4:49  routes.a.policies[0]  "timeout" works around single upstream calls: move it to upstreams.<name>.policies',
      ],
    },
    {
      in: 'file',
      text: 'version: 1\nupstreams: { a: &a { url: http://a.test, websockt: true }, b: *a }\nroutes: { a: { path: /, upstream: b } }\n',
      told: ['2:42  upstreams.a.websockt  unknown key "websockt"; did you mean "websocket"?'],
    },
  ])('is told with its place and a way out: $in $text', ({ in: frame, text, told }) => {
    expect(mistakesOf(FRAMES[frame](text))).toEqual([...told])
  })
})
