import { describe, expect, test } from 'bun:test'
import { createLocalJWKSet, decodeProtectedHeader, type JSONWebKeySet, jwtVerify } from 'jose'
import type { Service } from '../service/service.ts'
import { json } from '../testing/requests.ts'
import { createUsers } from './index.ts'

const NOW = Date.parse('2026-03-01T12:00:00Z')

async function signIn({ app }: Service, username: string, password = username) {
  const response = await app.request('/auth/token', json('POST', { username, password }))
  return { response, body: (await response.json()) as { access_token: string } }
}

async function verify({ app }: Service, token: string) {
  const keys = (await (await app.request('/.well-known/jwks.json')).json()) as JSONWebKeySet
  const checks = { issuer: 'https://users.shop.example', audience: 'shop', algorithms: ['ES256'] }
  return jwtVerify(token, createLocalJWKSet(keys), { ...checks, currentDate: new Date(NOW) })
}

describe('users', () => {
  test('signs alice in with a token that its published keys verify', async () => {
    const users = await createUsers({ now: () => NOW })
    const { response, body } = await signIn(users, 'alice')
    expect(response.status).toBe(200)
    expect(response.headers.get('cache-control')).toBe('no-store')
    expect<object>(body).toEqual({ access_token: expect.any(String), token_type: 'Bearer', expires_in: 3600 })
    const { payload } = await verify(users, body.access_token)
    const issuedAt = NOW / 1_000
    expect(payload).toMatchObject({ sub: 'user-alice', name: 'Alice Appleby', iat: issuedAt, exp: issuedAt + 3_600 })
    expect(payload.roles).toEqual(['customer'])
  })

  test('gives carol the admin role', async () => {
    const users = await createUsers({ now: () => NOW })
    const { body } = await signIn(users, 'carol')
    expect((await verify(users, body.access_token)).payload.roles).toEqual(['customer', 'admin'])
  })

  test('publishes public halves only, with the id the tokens name', async () => {
    const users = await createUsers()
    const { keys } = (await (await users.app.request('/.well-known/jwks.json')).json()) as JSONWebKeySet
    const { body } = await signIn(users, 'bob')
    expect(keys).toHaveLength(1)
    expect(keys[0]).toMatchObject({ kty: 'EC', crv: 'P-256', alg: 'ES256', use: 'sig' })
    expect(keys[0]).not.toHaveProperty('d')
    expect(decodeProtectedHeader(body.access_token).kid).toBe(keys[0]?.kid ?? 'none')
  })

  test('makes another key at every start', async () => {
    const { body } = await signIn(await createUsers({ now: () => NOW }), 'alice')
    const restarted = await createUsers({ now: () => NOW })
    await expect(verify(restarted, body.access_token)).rejects.toThrow()
  })

  test.each([
    { name: 'a wrong password', username: 'alice', password: 'bob' },
    { name: 'an unknown name', username: 'mallory', password: 'mallory' },
    { name: 'empty strings', username: '', password: '' },
  ])('refuses $name with 401 and without a token', async ({ username, password }) => {
    const { response, body } = await signIn(await createUsers(), username, password)
    expect(response.status).toBe(401)
    expect(body).not.toHaveProperty('access_token')
  })

  test('refuses credentials of the wrong shape with 400', async () => {
    const users = await createUsers()
    const response = await users.app.request('/auth/token', json('POST', { username: { $ne: '' }, password: 'alice' }))
    expect(response.status).toBe(400)
  })

  test('tells who a user is, but never the password', async () => {
    const users = await createUsers()
    expect(await (await users.app.request('/users/user-bob')).json()).toEqual({
      id: 'user-bob',
      username: 'bob',
      name: 'Bob Barnes',
      email: 'bob@shop.example',
      roles: ['customer'],
    })
    expect((await users.app.request('/users/user-mallory')).status).toBe(404)
  })
})
