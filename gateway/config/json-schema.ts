import { z } from 'zod'
import type { Policy } from '../core/policy.ts'
import { configSchema } from './schema.ts'

/** A JSON Schema (draft 7, the one editors know best), or a part of one. */
export interface JsonSchema {
  readonly [keyword: string]: unknown
}

/**
 * The JSON Schema of the whole file, options of every policy included, for completion and checks in editors. It accepts
 * what the gateway accepts; what only the gateway can check (names that refer to each other, say) it lets pass.
 */
export function createJsonSchema(policies: readonly Policy[]): JsonSchema {
  const { config, options, definitions } = convert(policies)
  const root = withPolicyLists(config)
  return {
    $schema: 'http://json-schema.org/draft-07/schema#',
    title: 'Sluice gateway configuration',
    ...allowEnvironment(root),
    definitions: {
      'environment-reference': {
        type: 'string',
        pattern: '\\$\\{',
        description: `Resolved when the file is loaded: \${NAME}, \${NAME:-default} or \${file:/path}`,
      },
      ...mapValues(definitions, allowEnvironment),
      ...Object.fromEntries(policies.map(({ name }) => [optionsId(name), allowEnvironment(optionsOf(options, name))])),
      ...Object.fromEntries(
        (['route', 'upstream'] as const).map((level) => [entryId(level), entryOf(policies, level)]),
      ),
      [entryId('any')]: { anyOf: [reference(entryId('route')), reference(entryId('upstream'))] },
    },
  }
}

/** The JSON Schema of each policy's options, as written in the file. */
export function createOptionSchemas(policies: readonly Policy[]): ReadonlyMap<string, JsonSchema> {
  const { options } = convert(policies)
  return new Map(policies.map(({ name }) => [name, optionsOf(options, name)]))
}

type Level = Policy['at'] | 'any'

const optionsId = (name: string) => `${name}-options`
const entryId = (level: Level) => `${level}-policy`
const reference = (id: string): JsonSchema => ({ $ref: `#/definitions/${id}` })

/** All schemas in one conversion, so that shared and recursive parts get names that do not clash. */
function convert(policies: readonly Policy[]) {
  const everything = z.object({
    config: configSchema,
    options: z.object(Object.fromEntries(policies.map(({ name, options }) => [name, options]))),
  })
  const schema = z.toJSONSchema(everything, {
    io: 'input',
    target: 'draft-7',
    unrepresentable: 'any',
    override: ({ zodSchema, jsonSchema }) => keepEmptyDefault(zodSchema._zod.def, jsonSchema),
  })
  const properties = asSchema(schema.properties)
  return {
    config: asSchema(properties.config),
    options: asSchema(asSchema(properties.options).properties),
    definitions: asSchema(schema.definitions) as Readonly<Record<string, JsonSchema>>,
  }
}

/** zod drops defaults of what it transforms, because they are parsed values; an empty list is the same on both sides. */
function keepEmptyDefault(definition: { readonly type: string }, jsonSchema: { default?: unknown }): void {
  if (definition.type !== 'default' || !('defaultValue' in definition)) return
  const text = JSON.stringify(definition.defaultValue)
  if (text === '[]' || text === '{}') jsonSchema.default = JSON.parse(text)
}

function optionsOf(options: JsonSchema, name: string): JsonSchema {
  return asSchema(options[name])
}

/** Puts the policies' schemas where the file's own schema says only "a list". */
function withPolicyLists(config: JsonSchema): JsonSchema {
  const list = (level: Level) => (found: JsonSchema) => ({ ...found, items: reference(entryId(level)) })
  let result = change(config, ['properties', 'routes', 'additionalProperties', 'properties', 'policies'], list('route'))
  result = change(result, ['properties', 'upstreams', 'additionalProperties'], onlyOneOf('url', 'targets', 'versions'))
  result = change(
    result,
    ['properties', 'upstreams', 'additionalProperties', 'properties', 'policies'],
    list('upstream'),
  )
  return change(result, ['properties', 'policies', 'additionalProperties'], list('any'))
}

function onlyOneOf(...keys: readonly string[]): (found: JsonSchema) => JsonSchema {
  return (found) => ({ ...found, oneOf: keys.map((key) => ({ required: [key] })) })
}

function change(schema: JsonSchema, path: readonly string[], edit: (found: JsonSchema) => JsonSchema): JsonSchema {
  const [key, ...rest] = path
  if (key === undefined) return edit(schema)
  if (!(key in schema)) throw new TypeError(`The configuration schema has no "${key}" where policies were expected`)
  return { ...schema, [key]: change(asSchema(schema[key]), rest, edit) }
}

/** One entry of a list: the name of a policy or of a named list, or a policy's name with its options. */
function entryOf(policies: readonly Policy[], level: Policy['at']): JsonSchema {
  const here = policies.filter(({ at }) => at === level)
  const elsewhere = policies.filter(({ at }) => at !== level).map(({ name }) => name)
  const named = {
    type: 'string',
    anyOf: [
      { enum: here.map(({ name }) => name) },
      { pattern: '^[a-z][a-z0-9]*(?:-[a-z0-9]+)*$' },
      { pattern: '\\$\\{' },
    ],
    not: { enum: elsewhere },
  }
  const configured = {
    type: 'object',
    properties: Object.fromEntries(here.map(({ name }) => [name, withNothing(reference(optionsId(name)))])),
    additionalProperties: false,
    minProperties: 1,
    maxProperties: 1,
  }
  return { anyOf: [named, configured] }
}

/** `- cors:` with nothing behind it stands for no options. */
function withNothing(options: JsonSchema): JsonSchema {
  return { anyOf: [options, { type: 'null' }] }
}

/** Lets `${…}` stand wherever a number, a switch or a text of a certain form is expected. */
function allowEnvironment(schema: JsonSchema): JsonSchema {
  const inner = Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, allowWithin(key, value)]))
  if (!isRestrictedScalar(schema)) return inner
  const { description, default: fallback, ...shape } = inner
  return {
    ...(description === undefined ? {} : { description }),
    ...(fallback === undefined ? {} : { default: fallback }),
    anyOf: [shape, reference('environment-reference')],
  }
}

function allowWithin(key: string, value: unknown): unknown {
  if (NESTED_LIST.has(key) && Array.isArray(value)) return value.map((item) => allowEnvironment(asSchema(item)))
  if (NESTED_MAP.has(key)) return mapValues(asSchema(value) as Record<string, JsonSchema>, allowEnvironment)
  return NESTED.has(key) && isSchema(value) ? allowEnvironment(value) : value
}

const NESTED: ReadonlySet<string> = new Set(['items', 'additionalProperties'])
const NESTED_LIST: ReadonlySet<string> = new Set(['anyOf', 'oneOf', 'allOf'])
const NESTED_MAP: ReadonlySet<string> = new Set(['properties'])

const FREE_TEXT: ReadonlySet<string> = new Set(['type', 'description', 'default', 'maxLength', 'minLength'])

function isRestrictedScalar(schema: JsonSchema): boolean {
  const { type } = schema
  if (type === 'number' || type === 'integer' || type === 'boolean') return true
  if ('enum' in schema || 'const' in schema) return true
  return type === 'string' && Object.keys(schema).some((key) => !FREE_TEXT.has(key))
}

function mapValues<T, U>(record: Readonly<Record<string, T>>, map: (value: T) => U): Record<string, U> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, map(value)]))
}

function isSchema(value: unknown): value is JsonSchema {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function asSchema(value: unknown): JsonSchema {
  return isSchema(value) ? value : {}
}
