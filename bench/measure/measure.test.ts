import { describe, expect, test } from 'bun:test'
import { isValid, type Row, report } from '../proxy/report.ts'
import { cpuMsOf, parseCpuMs } from './cpu.ts'
import { parseLoad } from './load.ts'
import { median, percentile } from './table.ts'

const result = (errors: object) =>
  `Running 2s test\n{"requests":1000,"durationUs":2000000,"p50Us":500,"p99Us":4000,"errors":${JSON.stringify(errors)}}\n`
const row = (name: string, cpuMs: number, errors: object = {}): Row => ({
  name,
  rounds: [{ load: parseLoad(result(errors)), cpuMs }],
})

describe('processor time', () => {
  test('adds utime and stime, whatever the program is called', () => {
    expect(parseCpuMs('42 (a) b (c) S 1 42 42 0 -1 4194560 100 0 0 0 150 25 7 7 20 0 1 0 9')).toBe(1_750)
  })

  test('grows while this process works', () => {
    const before = cpuMsOf(process.pid)
    const until = performance.now() + 10_000
    while (cpuMsOf(process.pid) === before && performance.now() < until);
    expect(cpuMsOf(process.pid)).toBeGreaterThan(before)
  })

  test('refuses what is no such line', () => {
    expect(() => parseCpuMs('')).toThrow(TypeError)
  })
})

describe('the report', () => {
  test('gives the cost of a request and its ratio to both rivals', () => {
    const text = report([row('nginx', 40), row('passthrough', 50), row('gateway', 100)])
    expect(text).toMatch(/gateway +\| 500 +\| 0\.50 +\| 4\.00 +\| 100\.0 /)
    expect(text).toMatch(/gateway +\| 2\.50 +\| 1\.00 +\| 2\.00 +\| 1\.00 /)
  })

  test('marks a row with one error as invalid and compares nothing with it', () => {
    const failed = row('gateway', 100, { connect: 0, status: 1 })
    expect(isValid(failed)).toBe(false)
    const text = report([row('nginx', 40), row('passthrough', 50), failed])
    expect(text).toContain('INVALID: [{"status":1}]')
    expect(text).toMatch(/gateway +\| invalid +\| invalid/)
  })

  test('takes no row without a request for a valid one', () => {
    const load = { ...parseLoad(result({})), requests: 0 }
    expect(isValid({ name: 'gateway', rounds: [{ load, cpuMs: 10 }] })).toBe(false)
  })

  test('takes the middle of several rounds', () => {
    expect(median([9, 1, 5])).toBe(5)
    expect(median([4, 1, 2, 9])).toBe(3)
  })

  test('takes percentiles by nearest rank', () => {
    const hundred = Array.from({ length: 100 }, (_, i) => 100 - i)
    expect(percentile(hundred, 0.5)).toBe(50)
    expect(percentile(hundred, 0.99)).toBe(99)
    expect(percentile([7], 0.99)).toBe(7)
    expect(() => percentile([], 0.5)).toThrow(RangeError)
  })
})

test('output without a result is an error that shows the output', () => {
  expect(() => parseLoad('unable to connect')).toThrow('unable to connect')
})
