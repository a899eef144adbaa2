#!/usr/bin/env bun
import { parseArgs } from 'node:util'
import { didYouMean } from '../../../config/mistake.ts'
import { check } from './check.ts'
import { routes } from './routes.ts'
import { schema } from './schema.ts'
import { start } from './start.ts'

const USAGE = `Sluice, an edge gateway: one YAML file of routes, upstreams and policies

  sluice start  [--config FILE] [--port N] [--admin-port N] [--mocks]   serve; --mocks adds the demo shop
  sluice check  [FILE…]                                                report every mistake of files
  sluice routes [FILE]                                                 list the routes of a file, in order of precedence
  sluice schema                                                        print the JSON Schema of the file

  --config FILE    default config/gateway.yaml
  --port N         instead of server.port; 0 takes a free one
  --admin-port N   instead of server.admin.port; 0 takes a free one
`

const OPTIONS = {
  config: { type: 'string' },
  port: { type: 'string' },
  'admin-port': { type: 'string' },
  mocks: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const

interface Flags {
  readonly config?: string
  readonly port?: string
  readonly 'admin-port'?: string
  readonly mocks?: boolean
}

interface Command {
  /** Most words after the command. */
  readonly words: number
  readonly flags: readonly (keyof Flags)[]
  /** Returns the exit code; undefined while the process goes on serving. */
  run(words: readonly string[], flags: Flags): number | Promise<number | undefined>
}

const DEFAULT_CONFIG = 'config/gateway.yaml'

const COMMANDS: Readonly<Record<string, Command>> = {
  start: {
    words: 0,
    flags: ['config', 'port', 'admin-port', 'mocks'],
    run: (_, { config = DEFAULT_CONFIG, mocks = false, port, 'admin-port': adminPort }) =>
      start({ config, mocks, port: toPort(port), adminPort: toPort(adminPort) }),
  },
  check: {
    words: Number.POSITIVE_INFINITY,
    flags: ['config'],
    run: (files, { config = DEFAULT_CONFIG }) => Math.max(...(files.length > 0 ? files : [config]).map(check)),
  },
  routes: { words: 1, flags: ['config'], run: ([file], { config = DEFAULT_CONFIG }) => routes(file ?? config) },
  schema: { words: 0, flags: [], run: schema },
}

async function run(argv: readonly string[]): Promise<number | undefined> {
  const { flags, words, wantsHelp } = read(argv)
  const [name, ...rest] = words
  if (wantsHelp || name === undefined || name === 'help') {
    console.log(USAGE)
    return wantsHelp || name === 'help' ? 0 : 1
  }
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined
  if (!command) throw new Error(`Unknown command "${name}"${didYouMean(name, Object.keys(COMMANDS))}`)
  const extra = rest[command.words]
  if (extra !== undefined) {
    throw new Error(
      `"sluice ${name}" takes no "${extra}"${command.flags.includes('config') ? `: did you mean --config ${extra}?` : ''}`,
    )
  }
  const foreign = (Object.keys(flags) as (keyof Flags)[]).find((flag) => !command.flags.includes(flag))
  if (foreign) throw new Error(`"sluice ${name}" takes no --${foreign}`)
  return await command.run(rest, flags)
}

function read(argv: readonly string[]): { flags: Flags; words: readonly string[]; wantsHelp: boolean } {
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

function toPort(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  if (/^\d{1,5}$/.test(text) && Number(text) <= 65_535) return Number(text)
  throw new Error(`"${text}" is not a port: give a number from 0 to 65535`)
}

try {
  const code = await run(process.argv.slice(2))
  if (code !== undefined) process.exit(code)
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error))
  process.exit(1)
}
