import { z } from 'zod'
import type { EventSchema } from '../core/event-schema.ts'
import type { Environment } from './environment.ts'
import { uncheckedPart } from './json-schema-dialect.ts'

/** Finds the schema of an event type; `undefined` when there is none. */
export type FindEventSchema = (type: string) => EventSchema | undefined

/** A type that can be the name of a file, and cannot leave its folder. */
const FILE_NAME = /^[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}$/
const MOST_MISFITS = 5
const LONGEST_MISFIT = 500
const MOST_TOLD = 20
const LONGEST_TOLD = 200

/**
 * The JSON Schemas beside a configuration file: `events/<type>.schema.json` is what the data of that type must look
 * like. Each is read once; a schema that cannot be read or used, or that says more than can be checked, has a mistake.
 */
export function createEventSchemas(configFile: string, environment: Environment): FindEventSchema {
  const folder = configFile.replace(/[^/\\]*$/, '')
  const known = new Map<string, EventSchema | undefined>()
  return (type) => {
    if (!known.has(type) && FILE_NAME.test(type)) known.set(type, read(`events/${type}.schema.json`))
    return known.get(type)
  }

  function read(name: string): EventSchema | undefined {
    const text = environment.file(folder + name)
    if (text === undefined) return undefined
    return typeof text === 'string' ? compileEventSchema(text, name) : unusable(name, text.unreadable)
  }
}

/** Compiles a JSON Schema (draft 2020-12); `name` is how its mistakes call it. */
export function compileEventSchema(text: string, name: string): EventSchema {
  try {
    const source: unknown = JSON.parse(text)
    const unchecked = uncheckedPart(source)
    if (unchecked !== undefined) return unusable(name, unchecked)
    const schema = z.fromJSONSchema(source as Parameters<typeof z.fromJSONSchema>[0])
    return {
      ...idOf(source),
      misfit(data) {
        const { error } = schema.safeParse(data)
        return error && `the data does not fit ${name}: ${describe(error.issues)}`
      },
      misfits(data) {
        const issues = schema.safeParse(data).error?.issues ?? []
        return issues.slice(0, MOST_TOLD).map(({ path, message }) => ({
          path: path.map(String).join('.').slice(0, LONGEST_TOLD),
          message: message.slice(0, LONGEST_TOLD),
        }))
      },
    }
  } catch (error) {
    return unusable(name, error instanceof Error ? error.message : String(error))
  }
}

/** One that fits a message beside everything else, and is a URI as CloudEvents wants it. */
function idOf(source: unknown): Pick<EventSchema, 'id'> {
  const { $id: id } = source as { readonly $id?: unknown }
  return typeof id === 'string' && id.length <= 255 && URL.canParse(id) ? { id } : {}
}

function unusable(name: string, reason: string): EventSchema {
  const mistake = `${name} cannot be used: ${reason}`
  return { mistake, misfit: () => mistake, misfits: () => [{ path: '', message: mistake }] }
}

function describe(issues: readonly z.core.$ZodIssue[]): string {
  const shown = issues.slice(0, MOST_MISFITS).map(({ path, message }) => {
    return `${path.length === 0 ? 'data' : path.map(String).join('.')}: ${message}`
  })
  const more = issues.length > MOST_MISFITS ? `; and ${issues.length - MOST_MISFITS} more` : ''
  return shown.join('; ').slice(0, LONGEST_MISFIT) + more
}
