import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { findViolations, importsOf } from './check-boundaries.ts'

let root: string

beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'sluice-boundaries-'))
})

afterAll(() => {
  rmSync(root, { recursive: true })
})

let trees = 0

/** What is found in a tree that holds this one file. */
function violationsOf(file: string, source: string) {
  const tree = join(root, `${++trees}`)
  mkdirSync(dirname(join(tree, file)), { recursive: true })
  writeFileSync(join(tree, file), source)
  return findViolations(tree)
}

describe('check-boundaries', () => {
  test('finds nothing in this repository', () => {
    expect(findViolations(fileURLToPath(new URL('..', import.meta.url)))).toEqual([])
  })

  test.each([
    {
      file: 'gateway/core/policy.ts',
      source: "import { loadConfig } from '../config/load.ts'",
      because: 'the core knows nobody',
    },
    { file: 'gateway/core/http.ts', source: "import { Hono } from 'hono'", because: 'Hono is known in' },
    { file: 'gateway/core/http.ts', source: "import yaml from 'yaml'", because: 'the core knows nobody' },
    {
      file: 'gateway/routing/router.ts',
      source: "import { x } from '../upstream/forward.ts'",
      because: 'stand on the core alone',
    },
    {
      file: 'gateway/services/store/a.ts',
      source: "import { x } from '../../config/plan.ts'",
      because: 'knows no other part',
    },
    {
      file: 'gateway/config/load.ts',
      source: "import jwt from '../../policies/jwt/index.ts'",
      because: 'before anything runs',
    },
    {
      file: 'gateway/gateway.ts',
      source: "import { a } from '../policies/index.ts'",
      because: 'does not know the policies',
    },
    {
      file: 'gateway/gateway.ts',
      source: "import { a } from './runtimes/bun/listen.ts'",
      because: 'chooses a runtime',
    },
    { file: 'gateway/entry/client.ts', source: "import { isIP } from 'node:net'", because: 'runtime modules live in' },
    { file: 'gateway/entry/client.ts', source: "import 'bun'", because: 'runtime modules live in' },
    {
      file: 'gateway/entry/client.ts',
      source: "const x = await import('cloudflare:workers')",
      because: 'runtime modules live in',
    },
    {
      file: 'gateway/entry/client.ts',
      source: "import { a } from '../../tests/support/gateway.ts'",
      because: 'never depends on its tests',
    },
    { file: 'gateway/new-part/a.ts', source: "import { a } from '../core/policy.ts'", because: 'no known place' },
    {
      file: 'policies/jwt/index.ts',
      source: "import limit from '../rate-limit/index.ts'",
      because: 'never import each other',
    },
    {
      file: 'policies/jwt/index.ts',
      source: "import type { A } from '../../gateway/services/store/a.ts'",
      because: 'they receive services',
    },
    { file: 'policies/jwt/index.ts', source: "import { cors } from 'hono/cors'", because: 'never import each other' },
    { file: 'policies/cors/index.ts', source: "import { Hono } from 'hono'", because: 'nor the parts of the gateway' },
    {
      file: 'policies/jwt/index.ts',
      source: "export * from '../../gateway/gateway.ts'",
      because: 'nor the parts of the gateway',
    },
    {
      file: 'upstream-mocks/users/index.ts',
      source: "import {\n  a,\n  b,\n} from '../../gateway/core/errors.ts'",
      because: 'cannot catch our bugs',
    },
    {
      file: 'upstream-mocks/shop.test.ts',
      source: "import { a } from '../policies/index.ts'",
      because: 'cannot catch our bugs',
    },
    {
      file: 'gateway/runtimes/bun/listen.ts',
      source: "import { a } from '../../../tests/support/gateway.ts'",
      because: 'never depends on its tests',
    },
  ])('refuses $file: $source', ({ file, source, because }) => {
    const violations = violationsOf(file, `const before = 1\n${source}\n`)
    expect(violations.map((violation) => violation.file)).toEqual([file])
    expect(violations[0]?.because).toContain(because)
  })

  test.each([
    { file: 'gateway/core/policy.ts', source: "import type { z } from 'zod'\nimport { Key } from './keys.ts'" },
    {
      file: 'gateway/runtimes/bun/listen.ts',
      source: "import 'node:fs'\nimport { a } from '../../../policies/index.ts'",
    },
    {
      file: 'policies/cors/index.ts',
      source: "import { cors } from 'hono/cors'\nimport { f } from '../../gateway/hono.ts'",
    },
    {
      file: 'policies/jwt/jwt.test.ts',
      source: "import { t } from 'bun:test'\nimport { g } from '../../tests/support/gateway.ts'",
    },
    { file: 'gateway/services/a.bun.test.ts', source: "import 'node:net'" },
    {
      file: 'upstream-mocks/users/index.ts',
      source: "import { Hono } from 'hono'\nimport { p } from '../service/ports.ts'",
    },
    { file: 'scripts/generate.ts', source: "import { a } from '../gateway/config/json-schema.ts'\nimport 'node:fs'" },
  ])('lets $file import what it needs', ({ file, source }) => {
    expect(violationsOf(file, source)).toEqual([])
  })
})

describe('importsOf', () => {
  test('finds every way to name a module', () => {
    const source = [
      "import a from 'one'",
      'import { b,\n  c } from "two"',
      "import 'three'",
      "export * from 'four'",
      "export type { D } from 'five'",
      "const e = await import('six')",
    ].join('\n')
    expect(importsOf(source)).toEqual(['one', 'two', 'three', 'four', 'five', 'six'])
  })

  test('is not misled by exports without a module or by texts that look like one', () => {
    expect(importsOf("export const from = 'a'\nconst b = { from: 'c' }\nexport function f(x = 'from') {}\n")).toEqual(
      [],
    )
  })
})
