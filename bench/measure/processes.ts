import { closeSync, openSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** The contenders share this core, one at a time; everything else is kept off it. */
export const CONTENDER_CORE = 0
export const LOAD_CORE = 1

const GATEWAY = fileURLToPath(new URL('../../gateway/runtimes/bun/cli/main.ts', import.meta.url))
/** What the npm scripts give the gateway: Bun's own bound on calls at once is too low for a proxy. */
export const MANY_CALLS = { BUN_CONFIG_MAX_HTTP_REQUESTS: '16384' }

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

/** The gateway as a user starts it, alone on the contenders' core. */
export function gatewayOn(port: number, config: string, adminPort = 0) {
  const start = ['start', '--config', config, '--port', String(port), '--admin-port', String(adminPort)]
  return { name: 'gateway', core: CONTENDER_CORE, port, command: () => [process.execPath, GATEWAY, ...start] }
}

/** A port nobody listens on at the moment. */
export function freePort(): number {
  const probe = Bun.listen({ hostname: '127.0.0.1', port: 0, socket: { data() {} } })
  const { port } = probe
  probe.stop(true)
  return port
}

const READY_WITHIN_MS = 10_000

/** Resolves once something answers at `url`; rejects when the program has ended, or after 10 s. */
export async function untilAnswering(url: string, started: RunningProcess): Promise<void> {
  const giveUpAt = Date.now() + READY_WITHIN_MS
  for (;;) {
    const failure = started.failure()
    if (failure !== undefined) throw new Error(failure)
    try {
      await (await fetch(url)).body?.cancel()
      return
    } catch (error) {
      if (Date.now() > giveUpAt)
        throw new Error(`Nothing answers at ${url} after ${READY_WITHIN_MS} ms`, { cause: error })
      await Bun.sleep(20)
    }
  }
}
