import { afterEach, expect, test } from 'bun:test'
import { type RawStep, rawUpstream } from '../../../../tests/support/raw-upstream.ts'
import { until } from '../../../../tests/support/real-time.ts'
import { seededRandom } from '../../../../tests/support/seeded-random.ts'
import { systemClock } from '../system-clock.ts'
import { ConnectionPools } from './pools.ts'
import { createCall } from './test-call.ts'

const pools = new ConnectionPools(systemClock)
afterEach(() => pools.close())

const CALLS = 2_000
const AT_ONCE = 50

/**
 * How an upstream may answer with `text`: well, in pieces, with something behind it, or in ways that break. A whole second
 * reply that comes while the next request is on its way is not among them: nobody can tell it from the right one.
 */
const MANNERS: readonly ((text: string) => readonly RawStep[])[] = [
  (text) => [`HTTP/1.1 200 OK\r\nContent-Length: ${text.length}\r\n\r\n${text}`],
  (text) => [`HTTP/1.1 200 OK\r\nContent-Length: ${text.length}\r\n\r\n`, { waitMs: 1 }, text],
  (text) => ['HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 2', `00 OK\r\nContent-Length: ${text.length}\r\n\r\n`, text],
  (text) => [`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${text.length.toString(16)}\r\n${text}`, '\r\n0\r\n\r\n'],
  (text) => [`HTTP/1.1 200 OK\r\n\r\n${text}`, 'close'],
  (text) => [`HTTP/1.1 200 OK\r\nContent-Length: ${text.length}\r\nConnection: close\r\n\r\n${text}`, 'close'],
  (text) => [`HTTP/1.1 200 OK\r\nContent-Length: ${text.length}\r\n\r\n${text}HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison`],
  (text) => [`HTTP/1.1 200 OK\r\nContent-Length: ${text.length}\r\n\r\n${text}`, { waitMs: 1 }, 'poison'],
  (text) => [`HTTP/1.1 200 OK\r\nContent-Length: ${text.length + 9}\r\n\r\n${text}`, 'close'],
  (text) => [`HTTP/1.1 200 OK\r\nContent-Length: ${text.length}\r\n\r\n${text}`, 'reset'],
  () => ['reset'],
  () => ['close'],
  () => ['hang'],
  () => ['SSH-2.0\r\n'],
] // biome-ignore format: one manner a line

test('no call is ever answered with the reply to another, and none is left without an end', async () => {
  const random = seededRandom(27)
  const upstream = await rawUpstream(({ requestLine }) => {
    // Most answer well, so that connections live long enough to be shared.
    const manner = MANNERS[Math.floor(random() * (random() < 0.7 ? 4 : MANNERS.length))]
    return manner?.(`reply to ${requestLine}`) ?? []
  })
  const counts = { right: 0, wrong: 0, failed: 0 }
  let next = 0
  const caller = async () => {
    while (next < CALLS) {
      const target = `/${next++}`
      const method = random() < 0.5 ? 'GET' : 'POST'
      const body = method === 'POST' ? new TextEncoder().encode(target.repeat(3)) : null
      const abort = new AbortController()
      // Those that hang are given up, and some others in the middle of whatever they do.
      const timer = setTimeout(() => abort.abort(new Error('gone')), random() < 0.1 ? random() * 4 : 200)
      const { call, reply } = createCall({ method, target, body, signal: abort.signal })
      pools.to(upstream.url).send(call)
      try {
        const text = await (await reply).text()
        if (text === `reply to ${method} ${target} HTTP/1.1`) counts.right++
        else counts.wrong++
      } catch {
        counts.failed++
      }
      clearTimeout(timer)
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, caller))
  pools.close()
  await until('no connection is left', () => upstream.open() === 0)
  await upstream.close()
  expect(counts.wrong).toBe(0)
  expect(counts.right + counts.failed).toBe(CALLS)
  expect(counts.right).toBeGreaterThan(CALLS / 2)
  expect(counts.failed).toBeGreaterThan(CALLS / 20)
  expect(upstream.received.length).toBeLessThan(CALLS)
})
