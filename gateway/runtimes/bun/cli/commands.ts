import { didYouMean } from '../../../config/mistake.ts'
import { type Flags, toPort } from './arguments.ts'

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

// Only what a command needs is loaded: a check must not wait for a broker's client.
const outbox = () => import('./outbox.ts')
const compensations = () => import('./compensations.ts')
const deadLetters = () => import('./dead-letters.ts')

/** Every command by its first word, or by its first and its second. */
export const COMMANDS: Readonly<Record<string, Command | Commands>> = {
  start: {
    words: 0,
    flags: ['config', 'port', 'admin-port', 'mocks'],
    async run(_, { config = DEFAULT_CONFIG, mocks = false, port, 'admin-port': adminPort }) {
      const ports = { port: toPort(port), adminPort: toPort(adminPort) }
      return (await import('./start.ts')).start({ config, mocks, ...ports })
    },
  },
  check: {
    words: Number.POSITIVE_INFINITY,
    flags: ['config'],
    async run(files, { config = DEFAULT_CONFIG }) {
      const { check } = await import('./check.ts')
      return Math.max(...(files.length > 0 ? files : [config]).map(check))
    },
  },
  routes: {
    words: 1,
    flags: ['config'],
    run: async ([file], { config = DEFAULT_CONFIG }) => (await import('./routes.ts')).routes(file ?? config),
  },
  schema: { words: 0, flags: [], run: async () => (await import('./schema.ts')).schema() },
  outbox: {
    list: {
      words: 0,
      flags: [...OPERATOR, 'state', 'limit'],
      run: async (_, flags) => (await outbox()).listOutbox(operator(flags)),
    },
    show: { words: 1, flags: OPERATOR, run: async ([id], flags) => (await outbox()).showEntry(id, operator(flags)) },
    retry: {
      words: 1,
      flags: [...OPERATOR, 'all'],
      run: async ([id], flags) => (await outbox()).retryEntries(id, operator(flags)),
    },
    discard: {
      words: 1,
      flags: OPERATOR,
      run: async ([id], flags) => (await outbox()).discardEntry(id, operator(flags)),
    },
  },
  compensations: {
    list: {
      words: 0,
      flags: [...OPERATOR, 'state', 'limit'],
      run: async (_, flags) => (await compensations()).listCompensations(operator(flags)),
    },
    show: {
      words: 1,
      flags: OPERATOR,
      run: async ([id], flags) => (await compensations()).showCompensation(id, operator(flags)),
    },
    retry: {
      words: 1,
      flags: [...OPERATOR, 'all'],
      run: async ([id], flags) => (await compensations()).retryCompensations(id, operator(flags)),
    },
    discard: {
      words: 1,
      flags: OPERATOR,
      run: async ([id], flags) => (await compensations()).discardCompensation(id, operator(flags)),
    },
  },
  'dead-letters': {
    list: {
      words: 0,
      flags: [...OPERATOR, 'limit'],
      run: async (_, flags) => (await deadLetters()).listDeadLetters(operator(flags)),
    },
    show: {
      words: 1,
      flags: OPERATOR,
      run: async ([id], flags) => (await deadLetters()).showDeadLetter(id, operator(flags)),
    },
    replay: {
      words: 1,
      flags: [...OPERATOR, 'all'],
      run: async ([id], flags) => (await deadLetters()).replayDeadLetters(id, operator(flags)),
    },
    discard: {
      words: 1,
      flags: OPERATOR,
      run: async ([id], flags) => (await deadLetters()).discardDeadLetter(id, operator(flags)),
    },
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
