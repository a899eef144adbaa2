import { expect, test } from 'bun:test'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { failedTests } from './failed-tests.ts'

/** What Bun says of these test files, by name. */
function outputOfBun(files: Readonly<Record<string, string>>): string {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-failed-tests-'))
  try {
    for (const [name, text] of Object.entries(files)) {
      writeFileSync(join(folder, name), `import { describe, expect, test } from 'bun:test'\n${text}`)
    }
    return spawnSync(process.execPath, ['test'], { cwd: folder, encoding: 'utf8' }).stderr
  } finally {
    rmSync(folder, { recursive: true })
  }
}

test('a test that fails on Bun is named with its file and with what was expected', () => {
  const failures = failedTests(
    outputOfBun({
      'a.test.ts': `test('passes', () => expect(1).toBe(1))
        describe('sums', () => test('add up', () => expect(1 + 1).toBe(3)))`,
      'b.test.ts': `test('hangs', () => new Promise(() => {}), 20)
        test('passes too', () => expect(1).toBe(1))`,
    }),
  )
  expect(failures).toHaveLength(2)
  expect(failures[0]).toMatch(/^a\.test\.ts: \(fail\) sums > add up .*Expected: 3\nReceived: 2/s)
  expect(failures[1]).toMatch(/^b\.test\.ts: \(fail\) hangs .*\n\s+\^ this test timed out after 20ms\.$/)
})

test('a test that Bun names twice is told once', () => {
  const passing = `for (let i = 0; i < 100; i++) test('passes ' + i, () => {})`
  const output = outputOfBun({ 'a.test.ts': `${passing}\ntest('fails', () => expect(1).toBe(2))` })
  expect(output.match(/^\(fail\) fails/gm)).toHaveLength(2)
  expect(failedTests(output)).toHaveLength(1)
})

test('an error between the tests of Bun is told', () => {
  const [failure, ...rest] = failedTests(outputOfBun({ 'a.test.ts': `throw new Error('while it was loaded')` }))
  expect(failure).toMatch(/^# Unhandled error between tests\n.*error: while it was loaded/s)
  expect(rest).toEqual([])
})

test('a test that fails in Vitest is told up to the rule below it', () => {
  const output = `
 ✓ node gateway/b.test.ts (1 test) 2ms
⎯⎯⎯⎯⎯⎯⎯ Failed Tests 2 ⎯⎯⎯⎯⎯⎯⎯

 FAIL   node  gateway/a.test.ts > outer > one
AssertionError: expected 1 to be 2

⎯⎯⎯⎯⎯⎯⎯⎯⎯⎯⎯⎯⎯⎯⎯⎯⎯⎯⎯[1/2]⎯

 FAIL   node  gateway/a.test.ts > outer > two
AssertionError: expected 3 to be 4

⎯⎯⎯⎯⎯⎯⎯⎯⎯⎯⎯⎯⎯⎯⎯⎯⎯⎯⎯[2/2]⎯

      Tests  2 failed | 1 passed (3)
`
  expect(failedTests(output)).toEqual([
    'FAIL   node  gateway/a.test.ts > outer > one\nAssertionError: expected 1 to be 2',
    'FAIL   node  gateway/a.test.ts > outer > two\nAssertionError: expected 3 to be 4',
  ])
})

test('a fault that lost something is told with what was lost and how it is run again', () => {
  const output = `ok   EV-02: a killed gateway (150 orders; 5.2 s)
FAIL EV-03: a dead broker (60 orders; 2.8 s)
       order 7 was lost
     again: npm run test:faults -- --row EV-03
ok   EV-04: a full disk (60 orders; 1.0 s)
`
  expect(failedTests(output)).toEqual([
    'FAIL EV-03: a dead broker (60 orders; 2.8 s)\n       order 7 was lost\n     again: npm run test:faults -- --row EV-03',
  ])
})

test('where nothing is known to have failed the last lines are told, and of many failures the first', () => {
  expect(failedTests('it began\nSegmentation fault\n')).toEqual(['it began\nSegmentation fault'])
  const many = Array.from({ length: 25 }, (_, i) => `FAIL fault ${i}`).join('\n')
  expect(failedTests(many)).toEqual([...Array.from({ length: 20 }, (_, i) => `FAIL fault ${i}`), 'and 5 more'])
})
