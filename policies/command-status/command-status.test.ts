import { describe, expect, test } from 'bun:test'
import { z } from 'zod'
import { GatewayError } from '../../gateway/core/errors.ts'
import type { EventStatus } from '../../gateway/core/events.ts'
import { principal } from '../../gateway/core/keys.ts'
import { definePolicy } from '../../gateway/core/policy.ts'
import { createTestGateway, TEST_START } from '../../tests/support/gateway.ts'

/** Stands in for authentication: the caller is who the header says. */
const signIn = definePolicy({
  name: 'sign-in',
  at: 'route',
  options: z.strictObject({}),
  provides: [principal],
  create: () =>
    async function signIn(exchange, next) {
      const id = exchange.request.headers.get('x-user')
      if (id !== null) exchange.set(principal, { id, claims: {}, via: 'sign-in' })
      return next()
    },
})

type Find = (id: string) => Promise<EventStatus | undefined>

const statusOf = (status: Find, policies: readonly unknown[] = ['sign-in', 'command-status'], path = '/x/:id') => {
  const refuse = () => Promise.reject(new Error('nothing is announced here'))
  return createTestGateway({
    register: [signIn],
    policies,
    path,
    services: { events: { status, intend: refuse, accept: refuse } },
  })
}

const as = (user: string) => ({ headers: { 'x-user': user } })
const since = new Date(TEST_START).toISOString()

describe('command-status', () => {
  test.each([
    { state: 'accepted', retryAfter: '1', more: {} },
    { state: 'published', retryAfter: null, more: {} },
    {
      state: 'parked',
      retryAfter: null,
      more: { reason: 'It could not be handed to the services that work on it, and waits for an operator' },
    },
  ] as const)('tells that a command is $state', async ({ state, retryAfter, more }) => {
    const reason = 'no queue is bound to exchange "shop.commands"'
    const gateway = await statusOf(async () => ({ state, atMs: TEST_START, reason }))
    const response = await gateway.fetch('/x/command-1')
    expect(response.status).toBe(200)
    expect(await response.json()).toEqual({ id: 'command-1', status: state, since, ...more })
    expect(response.headers.get('content-type')).toBe('application/json')
    expect(response.headers.get('cache-control')).toBe('no-store')
    expect(response.headers.get('retry-after')).toBe(retryAfter)
  })

  test('answers 404 for a command that nobody knows, or that is forgotten', async () => {
    const gateway = await statusOf(async () => undefined)
    const response = await gateway.fetch('/x/command-1')
    expect(response.status).toBe(404)
    expect(await response.json()).toMatchObject({ type: 'urn:sluice:problem:command-not-found' })
  })

  test('tells only the caller who enqueued it; to others it is one that never was', async () => {
    const gateway = await statusOf(async (id) =>
      id === 'alices' ? { state: 'accepted', atMs: TEST_START, caller: 'alice' } : undefined,
    )
    expect((await gateway.fetch('/x/alices', as('alice'))).status).toBe(200)
    const others = await Promise.all([
      gateway.fetch('/x/alices', as('bob')),
      gateway.fetch('/x/alices'),
      gateway.fetch('/x/nobodys', as('bob')),
    ])
    const problems = await Promise.all(others.map(async (response) => ({ ...(await response.json()), instance: '' })))
    expect(problems[0]).toEqual(problems[2])
    expect(problems[1]).toEqual(problems[2])
    expect(problems[0]).toMatchObject({ status: 404 })
  })

  test('finds the id where it is told to', async () => {
    const asked: string[] = []
    const find = async (id: string) => void asked.push(id)
    const gateway = await statusOf(find, [{ 'command-status': { id: 'params.command' } }], '/x/:shop/:command')
    await gateway.fetch('/x/north/command%201')
    expect(asked).toEqual(['command 1'])
  })

  test('does not ask the outbox for what is no id of ours', async () => {
    const gateway = await statusOf(() => Promise.reject(new Error('asked')))
    expect((await gateway.fetch(`/x/${'a'.repeat(129)}`)).status).toBe(404)
  })

  test.each([
    { name: 'cannot be read', error: new Error('disk I/O error'), status: 503 },
    { name: 'is not there on this runtime', error: new GatewayError('not-implemented'), status: 501 },
  ])('answers $status when the outbox $name', async ({ error, status }) => {
    const gateway = await statusOf(async () => {
      throw error
    })
    expect((await gateway.fetch('/x/command-1')).status).toBe(status)
  })
})
