import { describe, expect, test } from 'bun:test'
import { createTestGateway } from '../../tests/support/gateway.ts'

const redirect = (options: unknown, path?: string) =>
  createTestGateway({ policies: [{ redirect: options }], ...(path === undefined ? {} : { path }) })

async function locationFor(options: unknown, target: string, path?: string) {
  const response = await (await redirect(options, path)).fetch(target)
  return response.status < 400 ? response.headers.get('location') : response.status
}

describe('redirect', () => {
  test('sends the client to another path, found for now', async () => {
    const response = await (await redirect({ to: '/new/{params.id}' })).fetch('/x/7?a=1')
    expect(response.status).toBe(302)
    expect(response.headers.get('location')).toBe('/new/7')
  })

  test('sends the client to another host with the status of the file', async () => {
    const response = await (await redirect({ to: 'https://shop.example:8443', status: 308 })).fetch('/x/7')
    expect(response.status).toBe(308)
    expect(response.headers.get('location')).toBe('https://shop.example:8443/')
  })

  test('keeps the query when told to', async () => {
    expect(await locationFor({ to: '/new', 'keep-query': true }, '/x/7?a=1&b=%20')).toBe('/new?a=1&b=%20')
  })

  test.each([
    { name: 'a line break', value: 'a%0d%0aSet-Cookie:%20a=b', location: '/new/a%0D%0ASet-Cookie%3A%20a%3Db' },
    { name: 'a slash', value: '..%2fadmin', location: '/new/..%2Fadmin' },
    { name: 'another host', value: '%40evil.test', location: '/new/%40evil.test' },
    { name: 'a query and a fragment', value: 'a%3fb%23c', location: '/new/a%3Fb%23c' },
  ])('encodes $name in a value so that it stays in its place', async ({ value, location }) => {
    expect(await locationFor({ to: '/new/{query.at}' }, `/x/1?at=${value}`)).toBe(location)
  })

  test('encodes values in the query', async () => {
    expect(await locationFor({ to: '/login?next={query.next}' }, '/x/1?next=https://evil.test/%26a=b')).toBe(
      '/login?next=https%3A%2F%2Fevil.test%2F%26a%3Db',
    )
  })

  test.each([
    { name: 'plain slashes', target: '/old//evil.test/a' },
    { name: 'an encoded slash', target: '/old/%2fevil.test/a' },
    { name: 'backslashes', target: '/old/%5c%5cevil.test/a' },
  ])('never leads to another host through a wildcard with $name', async ({ target }) => {
    const location = await locationFor({ to: '/{params.*}' }, target, '/old/*')
    if (typeof location === 'string') expect(new URL(location, 'https://here.test').host).toBe('here.test')
    else expect(location).toBe(400)
  })

  test('keeps the host of the file whatever the wildcard holds', async () => {
    const location = await locationFor({ to: 'https://shop.example/{params.*}' }, '/old/%40evil.test/a', '/old/*')
    expect(new URL(String(location)).host).toBe('shop.example')
  })

  test.each([
    { name: 'a relative path', options: { to: 'new' }, message: 'expected a path such as' },
    { name: 'a host from a value', options: { to: 'https://{query.host}/' }, message: 'whose host stands as it is' },
    { name: 'a host that a value continues', options: { to: 'https://shop.example{query.x}' }, message: 'host stands' },
    { name: 'a path that is another host', options: { to: '//evil.test' }, message: 'begins with one "/"' },
    { name: 'credentials', options: { to: 'https://me:secret@shop.example/' }, message: 'host stands' },
    { name: 'another scheme', options: { to: 'javascript:alert(1)' }, message: 'expected a path such as' },
    { name: 'an unknown name', options: { to: '/{parms.id}' }, message: 'did you mean "params"' },
    { name: 'an unknown parameter', options: { to: '/{params.name}' }, message: 'unknown parameter "name"' },
    { name: 'a status that does not redirect', options: { to: '/', status: 304 }, message: 'found 304' },
    { name: 'two queries', options: { to: '/a?b=c', 'keep-query': true }, message: 'has a query of its own' },
  ])('refuses $name at load', async ({ options, message }) => {
    expect(String(await redirect(options).catch((error: unknown) => error))).toContain(message)
  })
})
