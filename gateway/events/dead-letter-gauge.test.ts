import { expect, test } from 'bun:test'
import { recordTelemetry } from '../../tests/support/recorded-telemetry.ts'
import { createVirtualClock } from '../../tests/support/virtual-clock.ts'
import { deadLetterQueues, planTopology } from '../core/topology.ts'
import { watchDeadLetters } from './dead-letter-gauge.ts'

test('the gauge of dead letters follows the broker, and keeps its value while that is away', async () => {
  const clock = createVirtualClock()
  const set: unknown[] = []
  const metrics = { ...recordTelemetry().metrics, gauge: (...told: unknown[]) => void set.push(told) }
  let messages: number | undefined = 3
  const count = async () => {
    if (messages === undefined) throw new Error('away')
    return messages
  }
  const end = watchDeadLetters({ queues: ['a', 'b'], count, clock, metrics })
  await clock.advance(15_000)
  messages = undefined
  await clock.advance(15_000)
  messages = 0
  await clock.advance(15_000)
  end()
  await clock.advance(60_000)
  expect(set).toEqual([
    ['sluice_dead_letters', 3, { queue: 'a' }],
    ['sluice_dead_letters', 3, { queue: 'b' }],
    ['sluice_dead_letters', 0, { queue: 'a' }],
    ['sluice_dead_letters', 0, { queue: 'b' }],
  ])
})

test('a queue of dead letters that is missing is looked for more and more rarely, shown once it is there and empty once it is gone', async () => {
  const clock = createVirtualClock(0)
  const looks: number[] = []
  let messages: number | undefined
  const shown: unknown[] = []
  const metrics = { ...recordTelemetry().metrics, gauge: (_: string, value: number) => void shown.push(value) }
  const count = async () => {
    looks.push(clock.now() / 1_000)
    return messages
  }
  const end = watchDeadLetters({ queues: ['a'], count, clock, metrics })
  await clock.advance(1_300_000)
  expect(looks).toEqual([15, 30, 60, 120, 240, 480, 780, 1080])
  expect(shown).toEqual([])
  messages = 2
  await clock.advance(300_000)
  expect(shown.length).toBeGreaterThan(5)
  expect(new Set(shown)).toEqual(new Set([2]))
  messages = undefined
  await clock.advance(15_000)
  expect(shown.at(-1)).toBe(0)
  end()
})

test('every exchange that is declared or published to may have dead letters, and those have none of their own', () => {
  const topology = planTopology({
    exchanges: ['shop.events'],
    queues: [],
    published: ['shop.events', 'other'],
    others: [],
  })
  expect(deadLetterQueues(topology)).toEqual(['shop.events.dead-letters', 'other.dead-letters'])
})
