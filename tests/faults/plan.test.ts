import { describe, expect, test } from 'bun:test'
import { FAULTS } from './catalogue.ts'
import { planRun } from './plan.ts'

const SEEDS = Array.from({ length: 2_000 }, (_, i) => i)

describe('the plan of a run', () => {
  test('is the same for the same seed, and another for another', () => {
    expect(planRun(42)).toEqual(planRun(42))
    expect(planRun(42)).not.toEqual(planRun(43))
  })

  test('has every fault among its first two thousand, alone and together with others', () => {
    const alone = new Set<string>()
    const together = new Set<string>()
    for (const seed of SEEDS) {
      const { faults } = planRun(seed)
      for (const { name } of faults) (faults.length === 1 ? alone : together).add(name)
    }
    const all = FAULTS.map(({ name }) => name).sort()
    expect([...alone].sort()).toEqual(all)
    expect([...together].sort()).toEqual(all)
  })

  test('never asks of a broker what it cannot do, nor two faults that undo each other', () => {
    for (const seed of SEEDS) {
      const plan = planRun(seed)
      const kinds = plan.faults.map(({ name }) => FAULTS.find((fault) => fault.name === name))
      expect(kinds.every((kind) => kind?.brokers.includes(plan.broker))).toBe(true)
      expect(new Set(kinds.map((kind) => kind?.group)).size).toBe(kinds.length)
      // A broker inside one of two gateways would not be the other's.
      expect(plan.broker === 'inside' && plan.gateways === 2).toBe(false)
    }
  })

  test('has the fault that is wanted, whatever comes with it', () => {
    for (const { name } of FAULTS) expect(planRun(7, { only: name }).faults[0]?.name).toBe(name)
  })

  test('leaves out what the machine cannot do', () => {
    const without = new Set(['outbox-disk-full'])
    const names = SEEDS.flatMap((seed) => planRun(seed, { without }).faults.map(({ name }) => name))
    expect(names).not.toContain('outbox-disk-full')
  })

  test('refuses a fault that there is not, with those there are', () => {
    expect(() => planRun(1, { only: 'earthquake' })).toThrow(
      /There is no fault "earthquake"; there are: gateway-killed/,
    )
  })
})
