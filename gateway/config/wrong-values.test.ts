import { describe, expect, test } from 'bun:test'
import { FRAMES, type MistakeCase, mistakesOf } from '../../tests/support/config-mistakes.ts'

describe('a wrong value of the server, its services or an upstream', () => {
  test.each<MistakeCase>([
    {
      in: 'services',
      text: '{ broker: "embedded:abc" }',
      told: [
        '2:21  services.broker  expected embedded:, amqp://… or amqps://…, found "embedded:…", which is no valid address: write embedded:, embedded:5673, embedded:?file=.data/broker.db or embedded:5673?file=memory',
      ],
    },
    {
      in: 'services',
      text: '{ broker: "embedded:?file=.data/events.db", outbox: "sqlite:.data/events.db" }',
      told: ['2:21  services.broker  the outbox is in this file: the broker needs one of its own'],
    },
    {
      in: 'services',
      text: '{ broker: "embedded:", store: "sqlite:.data/broker.db" }',
      told: ['2:21  services.broker  the store is in this file: the broker needs one of its own'],
    },
    {
      in: 'services',
      text: '{ broker: "amqp://user:%zz@broker" }',
      told: [
        '2:21  services.broker  expected embedded:, amqp://… or amqps://…, found "amqp:…", which is no valid address',
      ],
    },
    {
      in: 'services',
      text: '{ store: "redis://:99999" }',
      told: [
        '2:20  services.store  expected memory:, sqlite:<path>, redis://…, rediss://… or upstash:, found "redis:…", which is no valid address: write redis://host:6379, redis://host:6379/1 (a database) or redis://host:6379?prefix=shop-prod (letters, digits, ".", "_" and "-"), and nothing else after the host',
      ],
    },
    {
      in: 'services',
      text: '{ store: "rediss://user:secret@h?prefx=shop" }',
      told: [
        '2:20  services.store  expected memory:, sqlite:<path>, redis://…, rediss://… or upstash:, found "rediss:…", which is no valid address: write redis://host:6379, redis://host:6379/1 (a database) or redis://host:6379?prefix=shop-prod (letters, digits, ".", "_" and "-"), and nothing else after the host',
      ],
    },
    {
      in: 'services',
      text: '{ store: "upstash:?prefix=a:b" }',
      told: [
        '2:20  services.store  expected memory:, sqlite:<path>, redis://…, rediss://… or upstash:, found "upstash:…", which is no valid address: write upstash: or upstash:?prefix=shop-prod (letters, digits, ".", "_" and "-")',
      ],
    },
    {
      in: 'services',
      text: '{ store: "sqlite:a.db?prefix=shop" }',
      told: [
        '2:20  services.store  expected memory:, sqlite:<path>, redis://…, rediss://… or upstash:, found "sqlite:…", which is no valid address: write sqlite:<path>, without "?" in the path',
      ],
    },
    { in: 'server', text: '8080', told: ['2:9  server  expected a mapping, found 8080'] },
    { in: 'server', text: '[]', told: ['2:9  server  expected a mapping, found an empty list'] },
    { in: 'server', text: '', told: ['2:9  server  expected a mapping, found nothing'] },
    { in: 'server', text: '{ port: 70000 }', told: ['2:17  server.port  expected a port number, found 70000'] },
    { in: 'server', text: '{ port: "80" }', told: ['2:17  server.port  expected a port number, found "80"'] },
    { in: 'server', text: '{ port: 80.5 }', told: ['2:17  server.port  expected a port number, found 80.5'] },
    { in: 'server', text: '{ port: -1 }', told: ['2:17  server.port  expected a port number, found -1'] },
    { in: 'server', text: '{ host: "" }', told: ['2:17  server.host  must not be empty'] },
    {
      in: 'server',
      text: '{ host: 127 }',
      told: ['2:17  server.host  expected text, found a number: put it in quotes'],
    },
    {
      in: 'server',
      text: '{ admin: { port: x } }',
      told: ['2:26  server.admin.port  expected a port number, found "x"'],
    },
    {
      in: 'server',
      text: '{ grace: 10 }',
      told: ['2:18  server.grace  expected a duration with its unit, such as "800ms", "10s" or "1m", found 10'],
    },
    {
      in: 'server',
      text: '{ limits: { header-count: 0, url: 16, idle: 0s, concurrency: 1.5 } }',
      told: [
        '2:35  server.limits.header-count  expected at least 1, found 0',
        '2:43  server.limits.url  expected a size with its unit, such as "64KiB" or "1MiB", found 16',
        '2:53  server.limits.idle  expected a duration with its unit, such as "800ms", "10s" or "1m", greater than zero, found "0s"',
        '2:70  server.limits.concurrency  expected a whole number, found 1.5',
      ],
    },
    {
      in: 'server',
      text: '{ trust: all }',
      told: [
        '2:18  server.trust  expected none, { hops: 1 } (one or more), { cidrs: [10.0.0.0/8] } or { platform: cloudflare }, found "all"',
      ],
    },
    { in: 'server', text: '{ trust: { hops: 0 } }', told: ['2:26  server.trust.hops  expected at least 1, found 0'] },
    {
      in: 'server',
      text: '{ trust: { hop: 1 } }',
      told: [
        '2:18  server.trust  expected none, { hops: 1 } (one or more), { cidrs: [10.0.0.0/8] } or { platform: cloudflare }, found a mapping with "hop"',
      ],
    },
    {
      in: 'server',
      text: '{ trust: { hops: one } }',
      told: ['2:26  server.trust.hops  expected a number, found "one"'],
    },
    {
      in: 'server',
      text: '{ trust: { cidrs: 10.0.0.0/8 } }',
      told: ['2:27  server.trust.cidrs  expected a list, found text'],
    },
    {
      in: 'server',
      text: '{ trust: { cidrs: [10.0.0.0/33, "::1/64", x] } }',
      told: [
        '2:28  server.trust.cidrs[0]  expected a network such as "10.0.0.0/8", found "10.0.0.0/33"',
        '2:51  server.trust.cidrs[2]  expected a network such as "10.0.0.0/8", found "x"',
      ],
    },
    {
      in: 'server',
      text: '{ trust: { platform: fastly } }',
      told: ['2:30  server.trust.platform  expected "cloudflare", found "fastly"'],
    },
    {
      in: 'server',
      text: '{ trust: { hops: 1, cidrs: [10.0.0.0/8] } }',
      told: [
        '2:18  server.trust  expected none, { hops: 1 } (one or more), { cidrs: [10.0.0.0/8] } or { platform: cloudflare }, found a mapping with "hops", "cidrs"',
      ],
    },
    {
      in: 'server',
      text: '{ trust: {} }',
      told: [
        '2:18  server.trust  expected none, { hops: 1 } (one or more), { cidrs: [10.0.0.0/8] } or { platform: cloudflare }, found an empty mapping',
      ],
    },
    {
      in: 'server',
      text: '{ admin: { token: short-secret } }',
      told: [
        '2:27  server.admin.token  expected 16 to 256 printable ASCII characters without spaces, as `openssl rand -hex 32` gives',
      ],
    },
    {
      in: 'services',
      text: '{ store: mysql://h }',
      told: [
        '2:20  services.store  expected memory:, sqlite:<path>, redis://…, rediss://… or upstash:, found "mysql:…"',
      ],
    },
    {
      in: 'services',
      text: '{ store: "sqlite:data.db", outbox: "sqlite:data.db" }',
      told: ['2:20  services.store  the outbox is in this file: the store needs one of its own'],
    },
    {
      in: 'services',
      text: '{ broker: 5 }',
      told: ['2:21  services.broker  expected text, found a number: put it in quotes'],
    },
    {
      in: 'services',
      text: '{ outbox: postgres }',
      told: ['2:21  services.outbox  expected memory: or sqlite:<path>, found no scheme'],
    },
    { in: 'upstream', text: '', told: ['2:21  upstreams.main  expected a mapping, found nothing'] },
    { in: 'upstream', text: 'http://a.test', told: ['2:20  upstreams.main  expected a mapping, found text'] },
    {
      in: 'upstream',
      text: '{}',
      told: ['2:20  upstreams.main  expected exactly one of url, targets and versions, found none of them'],
    },
    {
      in: 'upstream',
      text: '{ url: http://a.test, targets: [http://b.test] }',
      told: ['2:20  upstreams.main  expected exactly one of url, targets and versions, found url and targets'],
    },
    {
      in: 'upstream',
      text: '{ url: [http://a.test] }',
      told: ['2:27  upstreams.main.url  expected a URL such as "http://127.0.0.1:9102", found a list'],
    },
    {
      in: 'upstream',
      text: '{ url: ftp://a.test }',
      told: ['2:27  upstreams.main.url  expected an http:// or https:// URL, found "ftp://a.test"'],
    },
    {
      in: 'upstream',
      text: '{ targets: http://a.test }',
      told: ['2:31  upstreams.main.targets  expected a list, found text'],
    },
    { in: 'upstream', text: '{ targets: [] }', told: ['2:31  upstreams.main.targets  expected at least one target'] },
    {
      in: 'upstream',
      text: '{ targets: [1, { url: http://a.test, weight: 0 }, { weight: 2 }, { url: http://a.test, wieght: 2 }, ] }',
      told: [
        '2:32  upstreams.main.targets[0]  expected a URL or { url, weight }, found 1',
        '2:65  upstreams.main.targets[1].weight  expected at least 1, found 0',
        '2:70  upstreams.main.targets[2].url  expected a URL such as "http://127.0.0.1:9102", found nothing',
        '2:107  upstreams.main.targets[3].wieght  unknown key "wieght"; did you mean "weight"?',
      ],
    },
    {
      in: 'upstream',
      text: '{ versions: {} }',
      told: ['2:32  upstreams.main.versions  expected at least one version'],
    },
    {
      in: 'upstream',
      text: '{ versions: [stable] }',
      told: ['2:32  upstreams.main.versions  expected a mapping, found a list'],
    },
    {
      in: 'upstream',
      text: '{ versions: { stable: { url: http://a.test } } }',
      told: [
        '2:42  upstreams.main.versions.stable.targets  is missing: expected a list',
        '2:44  upstreams.main.versions.stable.url  unknown key "url"',
      ],
    },
    {
      in: 'upstream',
      text: '{ versions: { Stable: { targets: [http://a.test] } } }',
      told: [
        '2:34  upstreams.main.versions.Stable  expected a name in kebab-case such as "product-page", found "Stable"',
      ],
    },
    {
      in: 'upstream',
      text: '{ url: http://a.test, websocket: yes }',
      told: ['2:53  upstreams.main.websocket  expected true or false, found "yes"'],
    },
    {
      in: 'upstream',
      text: '{ url: http://a.test, balance: 1 }',
      told: [
        '2:51  upstreams.main.balance  expected one of "round-robin", "random", "least-requests", "p2c-ewma", "hash", found 1',
      ],
    },
    {
      in: 'upstream',
      text: '{ url: http://a.test, policies: { timeout: 1s } }',
      told: ['2:52  upstreams.main.policies  expected a list of policies, found a mapping with "timeout"'],
    },
  ])('is told with its place and a way out: $in $text', ({ in: frame, text, told }) => {
    expect(mistakesOf(FRAMES[frame](text))).toEqual([...told])
  })
})
