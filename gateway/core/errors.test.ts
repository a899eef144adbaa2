import { describe, expect, test } from 'bun:test'
import { FAILURES, type FailureCode, GatewayError, toProblem } from './errors.ts'

describe('a problem', () => {
  for (const [code, { status, title }] of Object.entries(FAILURES)) {
    test(`has the status and title of its code: ${code}`, async () => {
      const response = toProblem(new GatewayError(code as FailureCode), 'id-1')
      expect(response.status).toBe(status)
      expect(response.headers.get('content-type')).toBe('application/problem+json')
      expect(response.headers.get('cache-control')).toBe('no-store')
      expect(await response.json()).toEqual({ type: `urn:sluice:problem:${code}`, title, status, instance: 'id-1' })
    })
  }

  test('carries detail, fields and members of its own', async () => {
    const response = toProblem(
      new GatewayError('rate-limited', { detail: 'Slower', headers: { 'retry-after': '3' }, extensions: { limit: 5 } }),
      'id-1',
    )
    expect(response.headers.get('retry-after')).toBe('3')
    expect(await response.json()).toMatchObject({ detail: 'Slower', limit: 5 })
  })

  for (const error of [new Error('secret at db:5432'), 'secret', undefined, { secret: 1 }]) {
    test(`says nothing about an error nobody foresaw: ${String(error)}`, async () => {
      const response = toProblem(error, 'id-1')
      expect(response.status).toBe(500)
      expect(await response.text()).not.toContain('secret')
    })
  }

  test('never shows a cause', async () => {
    expect(
      await toProblem(new GatewayError('upstream-unreachable', { cause: new Error('secret') }), 'id-1').text(),
    ).not.toContain('secret')
  })
})
