import { describe, expect, test } from 'bun:test'
import { ClientGone, type FailureCode, GatewayError } from '../../gateway/core/errors.ts'
import { judgeError } from './judge-error.ts'

const running = { signal: new AbortController().signal, body: null }
const aborted = (reason: unknown) => ({ signal: AbortSignal.abort(reason), body: null })
const timeUp = new GatewayError('upstream-timeout')

describe('judgeError', () => {
  const blamed: readonly FailureCode[] = ['upstream-timeout', 'upstream-unreachable', 'upstream-invalid-response']
  test.each(blamed.map((code) => ({ code })))('blames the upstream for $code', ({ code }) => {
    expect(judgeError(new GatewayError(code), running, 10)).toBe('failure')
  })

  const local: readonly FailureCode[] = [
    'circuit-open',
    'overloaded',
    'body-too-large',
    'internal-error',
    'rate-limited',
  ]
  test.each(local.map((code) => ({ code })))('blames nobody for $code from a layer further in', ({ code }) => {
    expect(judgeError(new GatewayError(code), running, 10)).toBe('neutral')
  })

  test('blames nobody for a mistake of our own', () => {
    expect(judgeError(new TypeError('undefined is not a function'), running, 10)).toBe('neutral')
  })

  test.each([
    { name: 'the reason itself', error: new ClientGone() },
    { name: 'an AbortError', error: new DOMException('aborted', 'AbortError') },
    { name: 'a broken connection', error: new GatewayError('upstream-unreachable') },
    { name: 'a timeout', error: new GatewayError('upstream-timeout') },
  ])('blames nobody when the client has left and fetch throws $name', ({ error }) => {
    expect(judgeError(error, aborted(new ClientGone()), 5_000)).toBe('neutral')
  })

  test('blames nobody when a layer outside has cancelled the call', () => {
    expect(judgeError(new GatewayError('upstream-unreachable'), aborted(new Error('not needed any more')), 5_000)).toBe(
      'neutral',
    )
  })

  test('blames the upstream that hung until a deadline outside passed', () => {
    expect(judgeError(timeUp, aborted(timeUp), 5_000)).toBe('failure')
    expect(judgeError(timeUp, aborted(timeUp), 100)).toBe('failure')
  })

  test('blames nobody when the call began just before the deadline', () => {
    expect(judgeError(timeUp, aborted(timeUp), 99)).toBe('neutral')
  })

  test('blames nobody when the client may still have been sending the body', () => {
    expect(judgeError(timeUp, { ...aborted(timeUp), body: new ReadableStream<Uint8Array>() }, 5_000)).toBe('neutral')
  })
})
