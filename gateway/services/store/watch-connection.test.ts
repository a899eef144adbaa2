import { describe, expect, test } from 'bun:test'
import { createVirtualClock } from '../../../tests/support/virtual-clock.ts'
import { watchConnection } from './watch-connection.ts'

/** A connection that answers, refuses or keeps silent as the test says. */
function watched() {
  const clock = createVirtualClock()
  const connection = { mode: 'answers' as 'answers' | 'refuses' | 'silent', pings: 0, replaced: 0 }
  const late: (() => void)[] = []
  const stop = watchConnection({
    clock,
    ping: async () => {
      connection.pings++
      if (connection.mode === 'refuses') throw new Error('The client is offline')
      if (connection.mode === 'silent') await new Promise<void>((resolve) => late.push(resolve))
    },
    replace: () => {
      connection.replaced++
    },
  })
  return { clock, connection, stop, answerLate: () => late.shift()?.() }
}

describe('the watch over a connection', () => {
  test.each(['answers', 'refuses'] as const)('leaves alone a connection that %s', async (mode) => {
    const { clock, connection } = watched()
    connection.mode = mode
    await clock.advance(60_000)
    expect(connection).toMatchObject({ replaced: 0, pings: 60 })
  })

  test('replaces a silent connection, and again as long as the silence lasts', async () => {
    const { clock, connection } = watched()
    connection.mode = 'silent'
    await clock.advance(3_999)
    expect(connection.replaced).toBe(0)
    await clock.advance(1)
    expect(connection.replaced).toBe(1)
    await clock.advance(4_000)
    expect(connection.replaced).toBe(2)
    connection.mode = 'answers'
    await clock.advance(60_000)
    expect(connection.replaced).toBe(2)
  })

  test('has one ping under way at a time', async () => {
    const { clock, connection } = watched()
    connection.mode = 'silent'
    await clock.advance(3_500)
    expect(connection.pings).toBe(1)
  })

  test('takes a late answer for a sign of life of its own connection only', async () => {
    const { clock, connection, answerLate } = watched()
    connection.mode = 'silent'
    await clock.advance(6_000)
    answerLate()
    await clock.advance(2_000)
    expect(connection.replaced).toBe(2)
  })

  test('ends when told to', async () => {
    const { clock, connection, stop } = watched()
    await clock.advance(2_000)
    stop()
    connection.mode = 'silent'
    await clock.advance(60_000)
    expect(connection).toMatchObject({ pings: 2, replaced: 0 })
  })
})
