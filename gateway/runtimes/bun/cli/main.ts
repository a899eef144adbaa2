#!/usr/bin/env bun
import { type Flags, readArguments } from './arguments.ts'
import { findCommand } from './commands.ts'

const USAGE = `Sluice, an edge gateway: one YAML file of routes, upstreams and policies

  sluice start  [--config FILE] [--port N] [--admin-port N] [--mocks]   serve; --mocks adds the demo shop
  sluice check  [FILE…]                                                report every mistake of files
  sluice routes [FILE]                                                 list the routes of a file, in order of precedence
  sluice schema                                                        print the JSON Schema of the file

  sluice outbox list [--state parked|unknown|committed|pending] [--limit N]   events that wait, and why
  sluice outbox show ID                                                everything about one of them
  sluice outbox retry ID | --all                                       put back what is parked; of an unknown one, ask at once
  sluice outbox discard ID                                             give an event up: it is never sent
  sluice dead-letters list [--limit N]                                 messages consumers have given up, and why
  sluice dead-letters show ID                                          everything about one of them
  sluice dead-letters replay ID | --all                                send them back to the queue they died in
  sluice dead-letters discard ID                                       give one up: it is never handled
  sluice compensations list [--state parked|undoing] [--limit N]       writes that are to be undone, and why
  sluice compensations show ID                                         everything about one of them
  sluice compensations retry ID | --all                                undo what is parked
  sluice compensations discard ID                                      leave it as it is

  --config FILE    default config/gateway.yaml
  --port N         instead of server.port; 0 takes a free one
  --admin-port N   instead of server.admin.port; 0 takes a free one
  --json           of outbox, dead-letters and compensations: the answer as JSON
`

async function run(argv: readonly string[]): Promise<number | undefined> {
  const { flags, words, wantsHelp } = readArguments(argv)
  if (wantsHelp || words.length === 0 || words[0] === 'help') {
    console.log(USAGE)
    return wantsHelp || words[0] === 'help' ? 0 : 1
  }
  const { name, command, rest } = findCommand(words)
  const extra = rest[command.words]
  if (extra !== undefined) {
    throw new Error(
      `"sluice ${name}" takes no "${extra}"${/\.ya?ml$/.test(extra) ? `: did you mean --config ${extra}?` : ''}`,
    )
  }
  const foreign = (Object.keys(flags) as (keyof Flags)[]).find((flag) => !command.flags.includes(flag))
  if (foreign) throw new Error(`"sluice ${name}" takes no --${foreign}`)
  return await command.run(rest, flags)
}

try {
  const code = await run(process.argv.slice(2))
  if (code !== undefined) process.exit(code)
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error))
  process.exit(1)
}
