import { describe, expect, test } from 'bun:test'
import { mistakesOf } from '../../tests/support/config-mistakes.ts'

const KEYS = { 'api-key': { clients: { alice: { keys: [`sha256:${'0'.repeat(64)}`] } } } }
const ENQUEUE = { type: 'order.requested', exchange: 'shop.commands', 'status-path': '/commands/{command.id}' }
const status = (route: object = {}) => ({
  path: '/commands/:id',
  methods: ['GET'],
  policies: ['command-status'],
  ...route,
})

interface File {
  readonly enqueue?: object
  readonly around?: readonly unknown[]
  readonly routes?: object
}

const told = ({ enqueue = {}, around = [], routes = { command: status() } }: File) =>
  mistakesOf(
    JSON.stringify({
      version: 1,
      routes: {
        request: { path: '/orders', policies: [...around, { enqueue: { ...ENQUEUE, ...enqueue } }] },
        ...routes,
      },
    }),
  ).map((line) => line.replace(/^\d+:\d+ {2}/, ''))

const AT = 'routes.request.policies[0].enqueue.status-path'

describe('a status-path', () => {
  test.each([
    { name: 'to the id of the command', file: {} },
    {
      name: 'through further parameters and a query',
      file: {
        enqueue: { 'status-path': '/shops/{query.shop}/commands/{command.id}?v=1' },
        routes: { command: status({ path: '/shops/:shop/commands/:id' }) },
      },
    },
    {
      name: 'to a route that says itself where the id stands',
      file: {
        routes: {
          command: status({ path: '/commands/:which', policies: [{ 'command-status': { id: 'params.which' } }] }),
        },
      },
    },
    {
      name: 'to a route that authenticates like the one it comes from',
      file: { around: [KEYS], routes: { command: status({ policies: [KEYS, 'command-status'] }) } },
    },
    {
      name: 'to a route that authenticates although the one it comes from does not',
      file: { routes: { command: status({ policies: [KEYS, 'command-status'] }) } },
    },
  ])('may lead $name', ({ file }) => {
    expect(told(file)).toEqual([])
  })

  test.each([
    {
      name: 'nowhere',
      file: { routes: {} },
      message: `${AT}  no route answers "GET /commands/{command.id}": add one with the policy "command-status"`,
    },
    {
      name: 'to a route for other methods',
      file: { routes: { command: status({ methods: ['POST'] }) } },
      message: `${AT}  no route answers "GET /commands/{command.id}": add one with the policy "command-status"`,
    },
    {
      name: 'to another route',
      file: { routes: { other: { path: '/commands/:id', policies: ['respond'] } } },
      message: `${AT}  "GET /commands/{command.id}" leads to route "other", which has no policy "command-status"`,
    },
    {
      name: 'to a route that reads something else',
      file: {
        enqueue: { 'status-path': '/commands/{command.id}/{query.shop}' },
        routes: { command: status({ path: '/commands/:command/:id' }) },
      },
      message: `${AT}  "command-status" of route "command" reads "params.id" of its path, and that is not {command.id} here`,
    },
    {
      name: 'without the id',
      file: { enqueue: { 'status-path': '/commands/latest' } },
      message: `${AT}  "command-status" of route "command" reads "params.id" of its path, and that is not {command.id} here`,
    },
    {
      name: 'to a route that does not know its caller',
      file: { around: [KEYS] },
      message:
        'routes.request.policies[1].enqueue.status-path  route "command" does not know its caller, and only who asks here may ask there: give it the same authentication',
    },
  ])('is refused when it leads $name', ({ file, message }) => {
    expect(told(file)).toEqual([message])
  })

  test('is not blamed for a route that cannot be read', () => {
    const mistakes = told({ routes: { command: status({ path: 'commands/:id' }) } })
    expect(mistakes[0]).toContain('routes.command.path  expected a path')
    expect(String(mistakes)).not.toContain('status-path')
  })

  test('is needed, and the only place that knows the id', () => {
    expect(told({ enqueue: { 'status-path': undefined } })).toEqual([`${AT}  expected a path, found nothing`])
    expect(told({ enqueue: { data: '{command.id}', subject: 'c-{command.id}' } })).toHaveLength(2)
    const elsewhere = mistakesOf(
      JSON.stringify({ version: 1, routes: { a: { path: '/', policies: [{ respond: { text: '{command.id}' } }] } } }),
    )
    expect(String(elsewhere)).toContain('"command.id" has no value here: "respond" has no command')
  })
})
