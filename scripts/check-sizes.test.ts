import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findOversize } from './check-sizes.ts'

let root: string

beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'sluice-sizes-'))
  mkdirSync(join(root, 'gateway/core'), { recursive: true })
  const write = (file: string, lines: number) => writeFileSync(join(root, file), 'a\n'.repeat(lines))
  write('gateway/core/fits.ts', 250)
  write('gateway/core/fits.test.ts', 400)
  write('gateway/core/long.ts', 251)
  write('gateway/core/long.test.ts', 401)
  write('gateway/core/data.json', 999)
})

afterAll(() => {
  rmSync(root, { recursive: true })
})

describe('check-sizes', () => {
  test('finds sources over 250 lines and tests over 400', () => {
    expect(findOversize(root)).toEqual([
      { file: 'gateway/core/long.test.ts', lines: 401, limit: 400 },
      { file: 'gateway/core/long.ts', lines: 251, limit: 250 },
    ])
  })
})
