import { describe, expect, test } from 'bun:test'
import { z } from 'zod'
import { duration } from '../gateway/config/fields.ts'
import type { JsonSchema } from '../gateway/config/json-schema.ts'
import { definePolicy } from '../gateway/core/policy.ts'
import { staleFiles } from './generate.ts'
import { renderPolicyReference, typeName } from './policy-reference.ts'

describe('generate', () => {
  test('has been run since the schemas changed', () => {
    expect(staleFiles()).toEqual([])
  })

  test('finds files that are missing or differ', () => {
    expect(staleFiles('/nowhere')).toEqual(['config/gateway.schema.json', 'docs/policies.md'])
  })
})

describe('the policy reference', () => {
  const options = z.strictObject({
    after: duration.describe('How long | at most'),
    rules: z
      .array(z.strictObject({ when: z.enum(['a', 'b']).describe('Which') }))
      .default([])
      .describe('Rules'),
  })
  const policy = definePolicy({ name: 'sample', at: 'upstream', options, create: () => (_, next) => next() })

  test('tells the level, and every option with its kind, default and meaning', () => {
    const schema = z.toJSONSchema(options, { io: 'input' }) as JsonSchema
    const page = renderPolicyReference([{ policy, summary: 'Does nothing.', options: schema }])
    expect(page).toContain('| [`sample`](#sample) | upstream | Does nothing. |')
    expect(page).toContain('| `after` | duration, e.g. `10s` | required | How long \\| at most |')
    expect(page).toContain('| `rules` | list of mapping | `[]` | Rules |')
    expect(page).toContain('| `rules[].when` | `a`, `b` | required | Which |')
  })

  test.each([
    { name: 'a choice', field: z.union([z.literal('*'), z.array(z.string())]), expected: '`"*"` or list of text' },
    { name: 'bounds', field: z.int().min(1).max(9), expected: 'whole number, 1 to 9' },
    { name: 'a lower bound', field: z.int().min(1), expected: 'whole number, at least 1' },
    { name: 'a map', field: z.record(z.string(), z.boolean()), expected: 'map of names to `true`, `false`' },
  ])('words $name', ({ field, expected }) => {
    expect(typeName(z.toJSONSchema(field, { io: 'input' }) as JsonSchema)).toBe(expected)
  })
})
