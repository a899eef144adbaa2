import { afterAll, expect, test } from 'bun:test'
import { createAdminClient } from './admin-client.ts'

const asked: string[] = []
const listener = Bun.serve({
  hostname: '127.0.0.1',
  port: 0,
  fetch({ method, url }) {
    asked.push(`${method} ${new URL(url).pathname}`)
    return Response.json({ error: 'not here' }, { status: 404 })
  },
})
afterAll(() => listener.stop(true))

const { compensations, outbox, deadLetters } = createAdminClient({
  url: `http://127.0.0.1:${listener.port}`,
  token: undefined,
})

test.each([
  { id: '.', asks: [] },
  { id: '..', asks: [] },
  { id: '../outbox', asks: ['..%2Foutbox'] },
  { id: '%2e', asks: ['%252e'] },
  { id: 'a/retry?state=open#x', asks: ['a%2Fretry%3Fstate%3Dopen%23x'] },
])('an ID means that one thing and nothing else: $id', async ({ id, asks }) => {
  asked.length = 0
  const calls = [
    () => compensations.show(id),
    () => compensations.retry(id),
    () => compensations.discard(id),
    () => outbox.show(id),
    () => outbox.retry(id),
    () => outbox.discard(id),
    () => deadLetters.show(id),
    () => deadLetters.replay(id),
    () => deadLetters.discard(id),
  ]
  for (const call of calls) {
    await expect((async () => await call())()).rejects.toMatchObject({ kind: 'not-found' })
  }
  expect(asked).toEqual(
    asks.flatMap((path) =>
      ['compensations', 'outbox', 'dead-letters'].flatMap((kind) => [
        `GET /_sluice/${kind}/${path}`,
        `POST /_sluice/${kind}/${path}/${kind === 'dead-letters' ? 'replay' : 'retry'}`,
        `POST /_sluice/${kind}/${path}/discard`,
      ]),
    ),
  )
})
