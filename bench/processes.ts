import { closeSync, openSync, readFileSync } from 'node:fs'

export interface StartOptions {
  readonly command: readonly string[]
  /** The one core it may run on. */
  readonly core: number
  /** File that takes what it writes to standard error. */
  readonly errorFile: string
  readonly environment?: Readonly<Record<string, string>>
}

/** A program that runs until `stop`. Its standard output goes to /dev/null, which `write` still has to be called for. */
export interface RunningProcess {
  readonly pid: number
  /** Why it ended by itself, undefined while it runs. */
  failure(): string | undefined
  stop(): Promise<void>
}

const STOP_WITHIN_MS = 5_000

/** Starts a program on one core. `taskset` replaces itself, so the process id is the program's own. */
export function startProcess({ command, core, errorFile, environment = {} }: StartOptions): RunningProcess {
  const standardOutput = openSync('/dev/null', 'w')
  const standardError = openSync(errorFile, 'w')
  const child = Bun.spawn(['taskset', '-c', String(core), ...command], {
    env: { ...process.env, ...environment },
    stdio: ['ignore', standardOutput, standardError],
  })
  closeSync(standardOutput)
  closeSync(standardError)
  return {
    pid: child.pid,
    failure() {
      if (child.exitCode === null && child.signalCode === null) return undefined
      return `${command.join(' ')} ended with ${child.exitCode ?? child.signalCode}:\n${readFileSync(errorFile, 'utf8')}`
    },
    async stop() {
      child.kill('SIGTERM')
      const kill = setTimeout(() => child.kill('SIGKILL'), STOP_WITHIN_MS)
      await child.exited
      clearTimeout(kill)
    },
  }
}

/** The only child of a process, e.g. nginx's worker. Throws when there is none or more than one. */
export function onlyChildOf(pid: number): number {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(/\s+/)
  const [child] = children
  if (children.length !== 1 || !child) throw new Error(`Process ${pid} has ${children.length} children instead of one`)
  return Number(child)
}

/** A port nobody listens on at the moment. */
export function freePort(): number {
  const probe = Bun.listen({ hostname: '127.0.0.1', port: 0, socket: { data() {} } })
  const { port } = probe
  probe.stop(true)
  return port
}
