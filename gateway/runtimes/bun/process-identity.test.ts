import { describe, expect, test } from 'bun:test'
import { until } from '../../../tests/support/real-time.ts'
import { identifyProcess, isProcessGone } from './process-identity.ts'

const isTold = identifyProcess() !== ''

describe('The identity of a process', () => {
  test('says of this process, and of one that cannot be told, that it is not gone', () => {
    expect(isProcessGone(identifyProcess())).toBe(false)
    expect(isProcessGone('')).toBe(false)
  })

  test('says nothing of a process on another machine, or in another container', () => {
    expect(isProcessGone(JSON.stringify({ machine: 'elsewhere', pid: 999_999_999, startedAt: '1' }))).toBe(false)
  })

  test('knows within a moment that a process was killed, and is not deceived by another of its number', async () => {
    const script = `const { identifyProcess } = await import(${JSON.stringify(`${import.meta.dir}/process-identity.ts`)})
      console.log(identifyProcess()); setInterval(() => {}, 1_000)`
    const other = Bun.spawn([process.execPath, '-e', script], { stdout: 'pipe', stderr: 'inherit' })
    const { value } = await other.stdout.getReader().read()
    const identity = new TextDecoder().decode(value).trim()
    expect(isProcessGone(identity)).toBe(false)
    other.kill('SIGKILL')
    await other.exited
    if (isTold) await until('its end to be seen', () => isProcessGone(identity))
    else expect(isProcessGone(identity)).toBe(false)

    if (isTold) {
      const successor = { ...JSON.parse(identity), pid: process.pid }
      expect(isProcessGone(JSON.stringify(successor))).toBe(true)
    }
  })
})
