import { expect, test } from 'bun:test'

/** Put in place of this expression by each project of vitest.config.ts; Bun, which reads no such file, finds nothing there. */
declare global {
  var EXPECTED_RUNTIME: 'Node.js' | 'Cloudflare-Workers' | undefined
}

test('this suite runs where its name says', () => {
  expect(navigator.userAgent.split('/')[0]).toBe(globalThis.EXPECTED_RUNTIME ?? 'Bun')
})
