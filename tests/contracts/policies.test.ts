import { describe, expect, test } from 'bun:test'
import { createOptionSchemas, type JsonSchema } from '../../gateway/config/json-schema.ts'
import { FAILURES } from '../../gateway/core/errors.ts'
import { builtInPolicies } from '../../policies/index.ts'

/** What every policy of the registry must keep to. */

const schemas = createOptionSchemas(builtInPolicies)
const policies = builtInPolicies.map((policy) => ({
  name: policy.name,
  policy,
  schema: schemas.get(policy.name) ?? {},
}))

/** These have the names their standard gives them (RFC 7517 §4). */
const JWK_MEMBERS: ReadonlySet<string> = new Set(['key_ops', 'x5t#S256'])

function isSchema(value: unknown): value is JsonSchema {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Every mapping in a schema whose keys are fixed, with the path that leads to it. */
function* mappingsIn(schema: JsonSchema, path: string): Generator<{ path: string; mapping: JsonSchema }> {
  const { properties, items, additionalProperties, anyOf, oneOf, allOf } = schema
  if (isSchema(properties)) yield { path, mapping: schema }
  for (const [key, value] of Object.entries(isSchema(properties) ? properties : {})) {
    if (isSchema(value)) yield* mappingsIn(value, `${path}.${key}`)
  }
  for (const inner of [items, additionalProperties, anyOf, oneOf, allOf].flat()) {
    if (isSchema(inner)) yield* mappingsIn(inner, path)
  }
}

describe('the registry', () => {
  test('is in alphabetical order, each name once', () => {
    const names = builtInPolicies.map(({ name }) => name)
    expect(names).toEqual([...new Set(names)].sort())
    expect(names.length).toBeGreaterThan(10)
  })

  test('names no policy like a failure, so that both can be searched for', () => {
    expect(builtInPolicies.map(({ name }) => name).filter((name) => name in FAILURES)).toEqual([])
  })
})

describe.each(policies)('policy $name', ({ name, policy, schema }) => {
  test('has a name in kebab-case', () => {
    expect(name).toMatch(/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/)
  })

  test('describes every option', () => {
    const undescribed = [...mappingsIn(schema, name)].flatMap(({ path, mapping }) =>
      Object.entries(isSchema(mapping.properties) ? mapping.properties : {})
        .filter(([, property]) => !isSchema(property) || typeof property.description !== 'string')
        .map(([key]) => `${path}.${key}`),
    )
    expect(undescribed).toEqual([])
  })

  test('refuses options it does not know, at every depth', () => {
    const mappings = [...mappingsIn(schema, name)]
    expect(mappings.length).toBeGreaterThan(0)
    expect(mappings.filter(({ mapping }) => mapping.additionalProperties !== false).map(({ path }) => path)).toEqual([])
    expect(policy.options.safeParse({ 'no-such-option': 1 }).success).toBe(false)
  })

  test('names its options in kebab-case', () => {
    const names = [...mappingsIn(schema, name)].flatMap(({ mapping }) =>
      Object.keys(isSchema(mapping.properties) ? mapping.properties : {}),
    )
    const foreign = names.filter((key) => !/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/.test(key) && !JWK_MEMBERS.has(key))
    expect(foreign).toEqual([])
  })

  test('cannot be changed by those who share it', () => {
    expect(Object.isFrozen(policy)).toBe(true)
  })
})
