/** Keywords that are checked, by where they may stand. */
const TYPES: Readonly<Record<string, readonly string[]>> = {
  string: ['minLength', 'maxLength', 'pattern', 'format'],
  number: ['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum', 'multipleOf'],
  integer: ['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum', 'multipleOf'],
  boolean: [],
  null: [],
  object: [
    'properties',
    'required',
    'additionalProperties',
    'patternProperties',
    'propertyNames',
    'minProperties',
    'maxProperties',
  ],
  array: ['items', 'prefixItems', 'minItems', 'maxItems', 'uniqueItems', 'contains', 'minContains', 'maxContains'],
}

/** Each decides by itself: what stands beside it would not be looked at. */
const ALONE = ['$ref', 'enum', 'const', 'anyOf', 'oneOf', 'allOf'] as const

const NOTES: ReadonlySet<string> = new Set([
  '$schema',
  '$id',
  '$comment',
  '$defs',
  'title',
  'description',
  'default',
  'examples',
  'deprecated',
  'readOnly',
  'writeOnly',
])

const FORMATS: ReadonlySet<string> = new Set(
  'date-time date time duration email hostname ipv4 ipv6 uri uuid'.split(' '),
)

type Json = Readonly<Record<string, unknown>>

/**
 * What of a JSON Schema (draft 2020-12) would not be checked although it is written there, with the place as a JSON
 * pointer; `undefined` when everything is. A check that looks on and says nothing is worse than none.
 */
export function uncheckedPart(schema: unknown, at = '#'): string | undefined {
  if (typeof schema === 'boolean') return undefined
  if (!isMapping(schema)) return `${at}: expected a schema`
  return uncheckedKeyword(schema, at) ?? firstOf(subschemas(schema), ([path, inner]) => uncheckedPart(inner, at + path))
}

function uncheckedKeyword(schema: Json, at: string): string | undefined {
  const keys = Object.keys(schema).filter((key) => !NOTES.has(key))
  if (keys.length === 0) return undefined
  const alone = ALONE.find((key) => keys.includes(key))
  if (alone !== undefined) {
    const beside = keys.find((key) => key !== alone && key !== 'type')
    return beside === undefined ? undefined : `${at}: "${beside}" is not checked beside "${alone}"`
  }
  const types = [schema.type].flat()
  const allowed = types.flatMap((type) => TYPES[String(type)] ?? [])
  if (types.some((type) => !Object.hasOwn(TYPES, String(type)))) {
    return schema.type === undefined
      ? `${at}: "${keys[0]}" is not checked without a "type"`
      : `${at}: unknown type ${JSON.stringify(schema.type)}`
  }
  const other = keys.find((key) => key !== 'type' && !allowed.includes(key))
  if (other !== undefined) return `${at}: "${other}" is not checked for type ${types.join(' or ')}`
  if (schema.format !== undefined && !FORMATS.has(String(schema.format))) {
    return `${at}: format "${schema.format}" is not checked`
  }
  return undescribedProperty(schema, at)
}

function undescribedProperty({ properties, required }: Json, at: string): string | undefined {
  const described = isMapping(properties) ? properties : {}
  const name = [required ?? []].flat().find((key) => !Object.hasOwn(described, String(key)))
  return name === undefined ? undefined : `${at}: "${name}" is required and not among the properties`
}

/** Every schema within this one, with the pointer that leads to it. */
function subschemas(schema: Json): [path: string, schema: unknown][] {
  const single = ['items', 'additionalProperties', 'contains', 'propertyNames']
  const lists = ['anyOf', 'oneOf', 'allOf', 'prefixItems']
  const maps = ['properties', 'patternProperties', '$defs']
  return [
    ...single.filter((key) => key in schema).map((key): [string, unknown] => [`/${key}`, schema[key]]),
    ...lists.flatMap((key) => entriesOf(schema[key], key)),
    ...maps.flatMap((key) => entriesOf(schema[key], key)),
  ]
}

function entriesOf(value: unknown, key: string): [path: string, schema: unknown][] {
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).map(([name, inner]) => [`/${key}/${name}`, inner])
}

function firstOf<T, U>(list: readonly T[], find: (item: T) => U | undefined): U | undefined {
  for (const item of list) {
    const found = find(item)
    if (found !== undefined) return found
  }
  return undefined
}

function isMapping(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
