import { parseArgs } from 'node:util'
import { didYouMean } from '../../../config/mistake.ts'

const OPTIONS = {
  config: { type: 'string' },
  port: { type: 'string' },
  'admin-port': { type: 'string' },
  mocks: { type: 'boolean' },
  state: { type: 'string' },
  limit: { type: 'string' },
  json: { type: 'boolean' },
  all: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const

/** The flags of a command line, as written. */
export interface Flags {
  readonly config?: string
  readonly port?: string
  readonly 'admin-port'?: string
  readonly mocks?: boolean
  readonly state?: string
  readonly limit?: string
  readonly json?: boolean
  readonly all?: boolean
}

/** What stands on a command line, by its kind. */
export interface Words {
  readonly flags: Flags
  readonly words: readonly string[]
  readonly wantsHelp: boolean
}

/** Sorts a command line into words and flags. Throws for a flag nobody knows, with the nearest one. */
export function readArguments(argv: readonly string[]): Words {
  const known = Object.keys(OPTIONS)
  for (const word of argv) {
    const flag = /^--([^=]+)/.exec(word)?.[1]
    if (flag !== undefined && !known.includes(flag)) {
      throw new Error(`Unknown flag --${flag}${didYouMean(flag, known).replace(/"(.*)"/, '--$1')}`)
    }
  }
  const { values, positionals } = parseArgs({ args: [...argv], allowPositionals: true, options: OPTIONS })
  const { help = false, ...flags } = values
  return { flags, words: positionals, wantsHelp: help }
}

/** A port from 0 to 65535; undefined when none was written. */
export function toPort(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  if (/^\d{1,5}$/.test(text) && Number(text) <= 65_535) return Number(text)
  throw new Error(`"${text}" is not a port: give a number from 0 to 65535`)
}

const DEFAULT_LIMIT = 50
const MAX_LIMIT = 1_000

/** How many lines of a list; 50 when nothing was written. */
export function toLimit(text: string | undefined): number {
  if (text === undefined) return DEFAULT_LIMIT
  if (/^\d{1,4}$/.test(text) && Number(text) >= 1 && Number(text) <= MAX_LIMIT) return Number(text)
  throw new Error(`"${text}" is no limit: give a number from 1 to ${MAX_LIMIT}`)
}

/** One of the names, or undefined when none was written. Throws with the nearest one. */
export function toName<Name extends string>(
  text: string | undefined,
  what: string,
  names: readonly Name[],
): Name | undefined {
  if (text === undefined) return undefined
  const name = names.find((each) => each === text)
  if (name === undefined)
    throw new Error(`Unknown ${what} "${text}"${didYouMean(text, names) || `: give ${names.join(', ')}`}`)
  return name
}
