#!/usr/bin/env bun
import { parseArgs } from 'node:util'
import { check } from './check.ts'
import { routes } from './routes.ts'
import { schema } from './schema.ts'
import { start } from './start.ts'

const USAGE = `Sluice, an edge gateway: one YAML file of routes, upstreams and policies

  sluice start  [--config FILE] [--port N] [--admin-port N] [--mocks]   serve; --mocks adds the demo shop
  sluice check  FILE                                                   report every mistake of a file
  sluice routes [--config FILE]                                        list the routes of a file, in order of precedence
  sluice schema                                                        print the JSON Schema of the file

  --config  default config/gateway.yaml
`

/** Runs one command and returns the exit code; undefined while the process goes on serving. */
async function run(argv: readonly string[]): Promise<number | undefined> {
  const { values, positionals } = parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: {
      config: { type: 'string', default: 'config/gateway.yaml' },
      port: { type: 'string' },
      'admin-port': { type: 'string' },
      mocks: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  })
  const [command, file] = positionals
  if (values.help || command === undefined) {
    console.log(USAGE)
    return values.help ? 0 : 1
  }
  switch (command) {
    case 'start':
      return await start({
        config: values.config,
        mocks: values.mocks,
        port: toPort(values.port),
        adminPort: toPort(values['admin-port']),
      })
    case 'check':
      return check(file ?? values.config)
    case 'routes':
      return routes(file ?? values.config)
    case 'schema':
      return schema()
    default:
      throw new Error(`Unknown command "${command}": use start, check, routes or schema`)
  }
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
