import { z } from 'zod'
import { launch } from '../service/launch.ts'
import { notFound, toResponse } from '../service/problem.ts'
import { readJson } from '../service/read-json.ts'
import { createService, type Service, type ServiceOptions } from '../service/service.ts'
import { ACCOUNTS, type Account } from './accounts.ts'
import { createTokenIssuer, TOKEN_LIFETIME_S } from './tokens.ts'

const credentials = z.strictObject({ username: z.string().max(64), password: z.string().max(128) })

/** The user centre: signs people in with ES256 tokens, publishes its keys, and tells who is who. */
export async function createUsers(options: ServiceOptions = {}): Promise<Service> {
  const tokens = await createTokenIssuer(options.now ?? Date.now)
  return createService({ name: 'users', routes }, options)

  function routes(app: Service['app']): void {
    app.post('/auth/token', async (c) => {
      const body = await readJson(c, credentials)
      if (!body.ok) return body.refusal
      const { username, password } = body.value
      const account = ACCOUNTS.find((one) => one.username === username && one.password === password)
      if (!account) return toResponse(WRONG_CREDENTIALS)
      const token = { access_token: await tokens.issue(account), token_type: 'Bearer', expires_in: TOKEN_LIFETIME_S }
      return c.json(token, 200, { 'cache-control': 'no-store' })
    })
    app.get('/.well-known/jwks.json', (c) => c.json(tokens.jwks, 200, { 'cache-control': 'public, max-age=300' }))
    app.get('/users/:id', (c) => {
      const id = c.req.param('id')
      const account = ACCOUNTS.find((one) => one.id === id)
      return account ? c.json(toPublic(account)) : notFound('user', id)
    })
  }
}

const WRONG_CREDENTIALS = {
  status: 401,
  code: 'wrong-credentials',
  title: 'Wrong username or password',
  detail: 'Sign in as alice, bob or carol; each password is the username',
} as const

function toPublic({ id, username, name, email, roles }: Account) {
  return { id, username, name, email, roles }
}

if (import.meta.main) await launch('users', createUsers)
