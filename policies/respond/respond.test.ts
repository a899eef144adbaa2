import { describe, expect, test } from 'bun:test'
import { createTestGateway } from '../../tests/support/gateway.ts'

const respond = (options: unknown, init: { path?: string } = {}) =>
  createTestGateway({ ...init, policies: [{ respond: options }] })

describe('respond', () => {
  test('answers with JSON as it stands in the file, without calling any upstream', async () => {
    const gateway = await respond({ json: { open: true, hours: ['{not a template}'] } })
    const response = await gateway.fetch('/x/1')
    expect(response.status).toBe(200)
    expect(response.headers.get('content-type')).toBe('application/json')
    expect(await response.json()).toEqual({ open: true, hours: ['{not a template}'] })
    expect(gateway.upstreamRequests).toHaveLength(0)
  })

  test('answers with text in which references are replaced', async () => {
    const gateway = await respond({ status: 503, text: 'No {params.id} before {query.day}' })
    const response = await gateway.fetch('/x/tea?day=Monday')
    expect(response.status).toBe(503)
    expect(response.headers.get('content-type')).toBe('text/plain; charset=utf-8')
    expect(await response.text()).toBe('No tea before Monday')
  })

  test('sends null as JSON and nothing at all as an empty answer', async () => {
    const nothing = await (await respond({ json: null })).fetch('/x/1')
    expect(await nothing.text()).toBe('null')
    const empty = await (await respond({ status: 204 })).fetch('/x/1')
    expect(empty.status).toBe(204)
    expect(empty.headers.get('content-type')).toBeNull()
    expect(await empty.text()).toBe('')
  })

  test('lets the file choose header fields, content-type among them', async () => {
    const gateway = await respond({
      text: '<h1>Closed</h1>',
      headers: { 'Content-Type': 'text/html', 'x-item': '{params.id}', 'x-empty': '{query.none}' },
    })
    const { headers } = await gateway.fetch('/x/tea')
    expect(headers.get('content-type')).toBe('text/html')
    expect(headers.get('x-item')).toBe('tea')
    expect(headers.has('x-empty')).toBe(false)
  })

  test('refuses a value with a line break in a header field', async () => {
    const gateway = await respond({ headers: { 'x-item': '{params.id}' } })
    const response = await gateway.fetch('/x/a%0d%0aset-cookie:%20stolen=1')
    expect(response.status).toBe(400)
    expect(response.headers.has('set-cookie')).toBe(false)
  })

  test.each([
    { name: 'two bodies', options: { json: 1, text: 'a' }, message: 'found both' },
    { name: 'a body where the status allows none', options: { status: 204, text: 'a' }, message: 'has no body' },
    { name: 'a status that is no answer', options: { status: 101 }, message: 'at least 200' },
    {
      name: 'a field that frames the message',
      options: { headers: { 'Content-Length': '3' } },
      message: 'content-length',
    },
    {
      name: 'callers’ values in a page',
      options: { text: '<b>{query.name}</b>', headers: { 'content-type': 'text/html' } },
      message: 'a caller could put markup there',
    },
    {
      name: 'callers’ values in a page whose type a caller picks',
      options: { text: '{query.name}', headers: { 'content-type': 'text/plain{query.type}' } },
      message: 'a caller could put markup there',
    },
    { name: 'a misspelt option', options: { stats: 200 }, message: 'did you mean "status"' },
  ])('refuses $name at load', async ({ options, message }) => {
    expect(String(await respond(options).catch((error: unknown) => error))).toContain(message)
  })
})
