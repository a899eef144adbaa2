import { z } from 'zod'
import { parseEmbeddedBroker } from './broker-address.ts'
import { bytes, duration, listOf, pathTemplate, show, tooLong } from './fields.ts'
import { serviceUrl } from './service-url.ts'
import { topologySchema } from './topology.ts'
import { refuseUrl } from './url.ts'

/** The shape of the file. Policies are checked one by one afterwards, each by its own schema. */

export const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const

const name = z.string().regex(/^[a-z][a-z0-9]*(?:-[a-z0-9]+)*$/, {
  error: (issue) => `expected a name in kebab-case such as "product-page", found ${show(issue.input)}`,
})

const url = z
  .string({ error: (issue) => `expected a URL such as "http://127.0.0.1:9102", found ${show(issue.input)}` })
  .superRefine((text, context) => {
    const refusal = refuseUrl(text)
    if (refusal !== undefined) context.addIssue({ code: 'custom', message: refusal })
  })

const target = z
  .union(
    [
      url,
      z.strictObject({
        url: url.describe('Address of the target'),
        weight: z.int().min(1).max(1_000).default(1).describe('Share of the calls, relative to the other targets'),
      }),
    ],
    { error: (issue) => `expected a URL or { url, weight }, found ${show(issue.input)}` },
  )
  .transform((value) => (typeof value === 'string' ? { url: value, weight: 1 } : value))

const targets = z.array(target).min(1, { error: 'expected at least one target' })

/** One entry of a policy list, as written: a name, or a name with its options. */
const policies = z.array(z.unknown(), { error: (issue) => `expected a list of policies, found ${show(issue.input)}` })

const trust = z.union(
  [
    z.literal('none'),
    z.strictObject({
      hops: z
        .int()
        .min(1)
        .max(32)
        .describe('Proxies in front of the gateway; the client is that many entries from the right of X-Forwarded-For'),
    }),
    z.strictObject({
      cidrs: z
        .array(
          z.union([z.cidrv4(), z.cidrv6()], {
            error: (issue) => `expected a network such as "10.0.0.0/8", found ${show(issue.input)}`,
          }),
        )
        .min(1)
        .describe('Networks whose forwarding fields are believed'),
    }),
    z.strictObject({ platform: z.literal('cloudflare').describe('Believe CF-Connecting-IP') }),
  ],
  {
    error: (issue) =>
      `expected none, { hops: 1 } (one or more), { cidrs: [10.0.0.0/8] } or { platform: cloudflare }, found ${show(issue.input)}`,
  },
)

export const limits = z.strictObject({
  body: bytes.prefault('1MiB').describe('Largest request body'),
  headers: bytes.prefault('60KiB').describe('Largest request header section'),
  'header-count': z.int().min(1).max(1_000).default(100).describe('Most request header fields'),
  url: bytes.prefault('16KiB').describe('Longest request target'),
  timeout: duration.prefault('10s').describe('Total time until a response begins'),
  idle: duration.prefault('60s').describe('Longest silence on a connection before it is closed, at most 255s'),
  concurrency: z.int().min(1).default(10_000).describe('Most requests in flight; further ones get 503 overloaded'),
})

const port = z
  .int({ error: (issue) => `expected a port number, found ${show(issue.input)}` })
  .min(0)
  .max(65_535)

const server = z.strictObject({
  host: z.string().min(1).max(253).default('127.0.0.1').describe('Address to listen on'),
  port: port.default(8787).describe('Port to listen on; 0 takes a free one'),
  trust: trust.default('none').describe('Whose forwarding fields and request ids are believed'),
  limits: limits.prefault({}).describe('Bounds of what a client may send and wait for'),
  admin: z
    .strictObject({
      host: z.string().min(1).max(253).default('127.0.0.1').describe('Address of the admin listener'),
      port: port.default(8788).describe('Port of the admin listener; 0 takes a free one'),
      token: z
        .string()
        .regex(/^[\x21-\x7e]{16,256}$/, {
          // Not what was found: it is a secret.
          error: 'expected 16 to 256 printable ASCII characters without spaces, as `openssl rand -hex 32` gives',
        })
        .optional()
        .describe(
          'What operators send as a bearer token to see and change outbox and dead letters; needed when host is not the loopback',
        ),
    })
    .prefault({})
    .describe('Health, readiness, metrics, outbox and dead letters, away from the public listener'),
  grace: duration.prefault('10s').describe('How long a stop waits for requests in flight and for the outbox'),
})

const services = z
  .strictObject({
    store: serviceUrl(
      ['memory:', 'sqlite:', 'redis://', 'rediss://', 'upstash:'],
      'memory:, sqlite:<path>, redis://…, rediss://… or upstash:',
    )
      .default('memory:')
      .describe(
        'Counters and idempotency records: memory:, sqlite:<path>, redis://…, rediss://… or upstash:, the last three with ?prefix=<name> for a deployment of its own',
      ),
    broker: serviceUrl(['embedded:', 'amqp://', 'amqps://'], 'embedded:, amqp://… or amqps://…')
      .default('embedded:')
      .describe('Where events go: embedded:[port][?file=<path>], amqp://… or amqps://…'),
    outbox: serviceUrl(['memory:', 'sqlite:'], 'memory: or sqlite:<path>')
      .default('sqlite:.data/outbox.db')
      .describe('Where events wait until the broker has confirmed them: sqlite:<path> or memory:'),
    journal: serviceUrl(['memory:', 'sqlite:'], 'memory: or sqlite:<path>')
      .default('sqlite:.data/journal.db')
      .describe('Where writes that may have to be undone are noted: sqlite:<path> or memory:'),
  })
  .superRefine(({ store, broker, outbox, journal }, context) => {
    const inFile = (path: 'store' | 'broker' | 'journal', other: string) => {
      const message = `the ${other} is in this file: the ${path} needs one of its own`
      context.addIssue({ code: 'custom', path: [path], message })
    }
    if (store === outbox && store !== 'memory:') inFile('store', 'outbox')
    const file = parseEmbeddedBroker(broker)?.file
    if (outbox === `sqlite:${file}`) inFile('broker', 'outbox')
    if (store === `sqlite:${file}`) inFile('broker', 'store')
    if (journal === 'memory:') return
    const taken = Object.entries({ outbox, store, broker: `sqlite:${file}` })
    for (const [other, place] of taken) if (journal === place) inFile('journal', other)
  })

export const upstreamSchema = z
  .strictObject({
    url: url.optional().describe('Address of the only target'),
    targets: targets.optional().describe('Several targets, with weights'),
    versions: z
      .record(name, z.strictObject({ targets: targets.describe('Targets of this version') }))
      .optional()
      .describe('Versions side by side, each with its targets; a gray-release policy chooses among them'),
    balance: z
      .enum(['round-robin', 'random', 'least-requests', 'p2c-ewma', 'hash'])
      .default('round-robin')
      .describe('How a target is chosen; hash keeps a client on its target'),
    concurrency: z
      .int()
      .min(1)
      .default(1_024)
      .describe('Most calls waiting for this upstream at once; further ones get 503 overloaded'),
    websocket: z.boolean().default(false).describe('Whether WebSocket handshakes are passed on'),
    'preserve-host': z.boolean().default(false).describe("Sends the client's Host instead of the target's"),
    'rewrite-location': z
      .boolean()
      .default(true)
      .describe("Where Location or Content-Location names one of its targets, tells the client the gateway's address"),
    policies: policies.default([]).describe('Around every single call to this upstream, outermost first'),
  })
  .superRefine((value, context) => {
    const given = (['url', 'targets', 'versions'] as const).filter((key) => value[key] !== undefined)
    if (given.length === 1) return
    const found = given.length === 0 ? 'none of them' : given.join(' and ')
    context.addIssue({ code: 'custom', message: `expected exactly one of url, targets and versions, found ${found}` })
  })

const ROUTE_PATH = /^(?:\/(?:[A-Za-z0-9_.~!$&'()+,;=@-]+|:[A-Za-z_][A-Za-z0-9_]*))*(?:\/\*|\/)?$/

const routePath = z
  .string({ error: (issue) => `expected a path such as "/products/:id", found ${show(issue.input)}` })
  .min(1)
  .max(1_024, tooLong(1_024))
  .regex(ROUTE_PATH, {
    error: (issue) =>
      `expected a path such as "/products/:id" or "/files/*" (parameters are whole segments, "*" comes last), found ${show(issue.input)}`,
    abort: true,
  })
  .refine((path) => !/\/\.{1,2}(?:\/|$)/.test(path), {
    error: 'no request ever has a "." or ".." segment in its path: leave it out',
  })

export const routeSchema = z.strictObject({
  path: routePath.describe('Path to answer: literal segments, ":name" for one segment, a final "*" for the rest'),
  methods: listOf(z.enum(METHODS)).min(1).optional().describe('Methods to answer; all when left out'),
  policies: policies.default([]).describe('Around the whole exchange, outermost first'),
  upstream: z
    .union(
      [
        z.string(),
        z.strictObject({
          name: z.string().describe('Name of the upstream'),
          path: pathTemplate.optional().describe('Path to ask for, a template; the path of the request when left out'),
        }),
      ],
      { error: (issue) => `expected the name of an upstream or { name, path }, found ${show(issue.input)}` },
    )
    .transform((value) => (typeof value === 'string' ? { name: value } : value))
    .optional()
    .describe('Where the request goes in the end, unless a policy ends the chain'),
  timeout: duration.optional().describe('Total time until the response begins; server.limits.timeout when left out'),
  body: bytes.optional().describe('Largest request body; server.limits.body when left out'),
})

const dictionary = <T extends z.ZodType>(value: T, what: string) =>
  z.record(name, value, {
    error: (issue) =>
      issue.code === 'invalid_type' ? `expected ${what} by name, found ${show(issue.input)}` : undefined,
  })

export const configSchema = z.strictObject(
  {
    version: z
      .literal(1, { error: (issue) => `expected version: 1, found ${show(issue.input)}` })
      .describe('Version of this format'),
    server: server.prefault({}).describe('The listener and its bounds'),
    services: services.prefault({}).describe('Where state lives'),
    topology: topologySchema
      .prefault({})
      .describe(
        'Exchanges and queues the broker must have; declared at the start, and what is there already must be the same',
      ),
    upstreams: dictionary(upstreamSchema, 'upstreams').default({}).describe('The services behind the gateway'),
    policies: dictionary(policies, 'policy lists')
      .default({})
      .describe('Named lists of policies, used by name in any list'),
    routes: dictionary(routeSchema, 'routes')
      .refine((routes) => Object.keys(routes).length > 0, { error: 'expected at least one route' })
      .describe('What is answered, by name; the most specific path wins'),
  },
  {
    error: (issue) =>
      issue.code === 'invalid_type'
        ? `expected a mapping with version and routes, found ${show(issue.input)}`
        : undefined,
  },
)

export type ConfigFile = z.output<typeof configSchema>
