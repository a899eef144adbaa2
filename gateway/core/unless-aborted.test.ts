import { describe, expect, test } from 'bun:test'
import { unlessAborted } from './unless-aborted.ts'

describe('unlessAborted', () => {
  test('gives what the work gives, and what it fails with', async () => {
    const { signal } = new AbortController()
    expect(await unlessAborted(signal, Promise.resolve(1))).toBe(1)
    await expect(unlessAborted(signal, Promise.reject(new Error('no')))).rejects.toThrow('no')
  })

  test('waits no longer for work that ignores the signal', async () => {
    const controller = new AbortController()
    const waiting = unlessAborted(controller.signal, new Promise(() => {}))
    controller.abort(new Error('the client left'))
    await expect(waiting).rejects.toThrow('the client left')
    await expect(unlessAborted(controller.signal, new Promise(() => {}))).rejects.toThrow('the client left')
  })

  test('leaves no rejection of the work unhandled once it has been left', async () => {
    const controller = new AbortController()
    const { promise, reject } = Promise.withResolvers<never>()
    const waiting = unlessAborted(controller.signal, promise)
    controller.abort(new Error('the client left'))
    reject(new Error('too late'))
    await expect(waiting).rejects.toThrow('the client left')
  })
})
