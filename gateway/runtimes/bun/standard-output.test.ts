import { afterEach, expect, test } from 'bun:test'
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createLineWriter } from './standard-output.ts'

const directory = mkdtempSync(join(tmpdir(), 'sluice-lines-'))
const file = join(directory, 'log')
const descriptor = openSync(file, 'w')
const written = () => readFileSync(file, 'utf8')

afterEach(() => {
  closeSync(descriptor)
  rmSync(directory, { recursive: true })
})

test('lines are written together, in order, when there is much to write or when asked', () => {
  const { write, flush } = createLineWriter(descriptor)
  write('one')
  write('twö')
  expect(written()).toBe('')
  flush()
  expect(written()).toBe('one\ntwö\n')
  flush()
  write('x'.repeat(65_536))
  expect(written()).toBe(`one\ntwö\n${'x'.repeat(65_536)}\n`)
})
