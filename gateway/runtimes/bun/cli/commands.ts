import { didYouMean } from '../../../config/mistake.ts'
import { type Flags, toPort } from './arguments.ts'
import { check } from './check.ts'
import { discardCompensation, listCompensations, retryCompensations, showCompensation } from './compensations.ts'
import { discardDeadLetter, listDeadLetters, replayDeadLetters, showDeadLetter } from './dead-letters.ts'
import { discardEntry, listOutbox, retryEntries, showEntry } from './outbox.ts'
import { routes } from './routes.ts'
import { schema } from './schema.ts'
import { start } from './start.ts'

/** One thing the program does. */
export interface Command {
  /** Most words after the command. */
  readonly words: number
  readonly flags: readonly (keyof Flags)[]
  /** Returns the exit code; undefined while the process goes on serving. */
  run(words: readonly string[], flags: Flags): number | Promise<number | undefined>
}

type Commands = Readonly<Record<string, Command>>

const DEFAULT_CONFIG = 'config/gateway.yaml'

/** Flags of every command that asks a gateway. */
const OPERATOR = ['config', 'admin-port', 'json'] as const

const operator = ({ config = DEFAULT_CONFIG, 'admin-port': adminPort, ...flags }: Flags) => ({
  ...flags,
  config,
  adminPort: toPort(adminPort),
})

/** Every command by its first word, or by its first and its second. */
export const COMMANDS: Readonly<Record<string, Command | Commands>> = {
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
  outbox: {
    list: { words: 0, flags: [...OPERATOR, 'state', 'limit'], run: (_, flags) => listOutbox(operator(flags)) },
    show: { words: 1, flags: OPERATOR, run: ([id], flags) => showEntry(id, operator(flags)) },
    retry: { words: 1, flags: [...OPERATOR, 'all'], run: ([id], flags) => retryEntries(id, operator(flags)) },
    discard: { words: 1, flags: OPERATOR, run: ([id], flags) => discardEntry(id, operator(flags)) },
  },
  compensations: {
    list: { words: 0, flags: [...OPERATOR, 'state', 'limit'], run: (_, flags) => listCompensations(operator(flags)) },
    show: { words: 1, flags: OPERATOR, run: ([id], flags) => showCompensation(id, operator(flags)) },
    retry: { words: 1, flags: [...OPERATOR, 'all'], run: ([id], flags) => retryCompensations(id, operator(flags)) },
    discard: { words: 1, flags: OPERATOR, run: ([id], flags) => discardCompensation(id, operator(flags)) },
  },
  'dead-letters': {
    list: { words: 0, flags: [...OPERATOR, 'limit'], run: (_, flags) => listDeadLetters(operator(flags)) },
    show: { words: 1, flags: OPERATOR, run: ([id], flags) => showDeadLetter(id, operator(flags)) },
    replay: { words: 1, flags: [...OPERATOR, 'all'], run: ([id], flags) => replayDeadLetters(id, operator(flags)) },
    discard: { words: 1, flags: OPERATOR, run: ([id], flags) => discardDeadLetter(id, operator(flags)) },
  },
}

/** A command that was found, by its whole name, with the words that follow it. */
export interface Found {
  readonly name: string
  readonly command: Command
  readonly rest: readonly string[]
}

/** Finds `outbox list` as well as `start`. Throws for names nobody knows, with the nearest one. */
export function findCommand(words: readonly string[]): Found {
  const [first = '', second, ...rest] = words
  const found = pick(COMMANDS, first, 'command')
  if (isCommand(found)) return { name: first, command: found, rest: words.slice(1) }
  if (second === undefined) throw new Error(`"sluice ${first}" needs one of ${Object.keys(found).join(', ')}`)
  return { name: `${first} ${second}`, command: pick(found, second, `"sluice ${first}" command`), rest }
}

function pick<Value>(table: Readonly<Record<string, Value>>, name: string, what: string): Value {
  const found = Object.hasOwn(table, name) ? table[name] : undefined
  if (found === undefined) throw new Error(`Unknown ${what} "${name}"${didYouMean(name, Object.keys(table))}`)
  return found
}

/** Whether one word names a command, and not several with a second word each. */
export function isCommand(found: Command | Commands): found is Command {
  return typeof found.run === 'function'
}
