import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { firstMistake } from './cloud-event.ts'
import { reasonOf } from './failures.ts'

/** Checks the data of events against the JSON Schema of their type. */
export interface EventSchemas {
  /** What is wrong with the data, with its place; undefined when nothing is. */
  mistakeIn(type: string, data: unknown): string | undefined
}

/** Reads `<folder>/<type>.schema.json` for each type; throws when one is missing or no JSON Schema. */
export function readSchemas(folder: string, types: readonly string[]): EventSchemas {
  const schemas = new Map(types.map((type) => [type, readSchema(join(folder, `${type}.schema.json`))]))
  return {
    mistakeIn(type, data) {
      const schema = schemas.get(type)
      if (!schema) return `there is no schema for ${type}`
      const { error } = schema.safeParse(data)
      return error && firstMistake(error)
    },
  }
}

function readSchema(file: string): z.ZodType {
  try {
    return z.fromJSONSchema(JSON.parse(readFileSync(file, 'utf8')))
  } catch (cause) {
    throw new Error(`Cannot read the schema of an event from ${file}: ${reasonOf(cause)}`, { cause })
  }
}
