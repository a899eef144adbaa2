import { openSync } from 'node:fs'
import { join } from 'node:path'

/** What a process of the scene says through its channel, and is told. */
export type FromPart =
  | { readonly kind: 'ready'; readonly facts: Readonly<Record<string, string>> }
  | { readonly kind: 'dying'; readonly step: string }
export type ToPart = { readonly kind: 'set-clock'; readonly offsetMs: number } | { readonly kind: 'stop' }

/** How a life of a process has ended. */
export interface Death {
  readonly life: number
  /** The signal, or undefined when it ended by itself. */
  readonly signal: string | undefined
  readonly code: number | null
  /** Where it killed itself, as it was ordered to. */
  readonly step: string | undefined
  readonly wasReady: boolean
}

export interface PartOptions {
  readonly name: string
  /** Folder for its logs. */
  readonly folder: string
  /** The module it runs. */
  readonly module: string
  /** What it is told at the start; read anew for each of its lives, which are counted from 1. */
  readonly settings: (life: number) => object
  readonly environment?: Readonly<Record<string, string>>
  /** Told each time it is ready. */
  readonly onReady?: () => void
  /** Told when it has ended by itself or was killed. */
  readonly onDeath?: (death: Death) => void
  /** How long after its end it is started again, in milliseconds. */
  readonly restartAfterMs: () => number
}

/** A process of the scene that is started again whenever it ends, until it is stopped. */
export interface Part {
  readonly name: string
  /** Facts of its latest life, e.g. its address; undefined while it is not there. */
  readonly facts: Readonly<Record<string, string>> | undefined
  readonly lives: number
  readonly pid: number | undefined
  /** The longest it has taken from its start until it was ready, in milliseconds. */
  readonly slowestStartMs: number
  /** Resolves once it is ready, in this life or a later one; rejects when it is not within `withinMs`. */
  ready(withinMs: number): Promise<void>
  signal(name: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT' | 'SIGTERM'): void
  tell(message: ToPart): void
  /** Not started again until `release`. */
  hold(): void
  release(): void
  /** Asks it to stop; kills it when it has not within `withinMs`. Resolves with its exit code, null when killed. */
  stop(withinMs: number): Promise<number | null>
}

const POLL_MS = 10
/** A part that cannot even start is a mistake of the scene or of the part, not a fault that was ordered. */
const MOST_FAILED_STARTS = 40

/** Starts it, and again after each end. */
export function startPart(options: PartOptions): Part {
  const { name, folder, module, environment = {} } = options
  let child: Bun.Subprocess | undefined
  let facts: Part['facts']
  let lives = 0
  let failedStarts = 0
  let slowestStartMs = 0
  let held = false
  let stopping = false
  let restart: Timer | undefined

  function start(): void {
    if (stopping || held || child) return
    const life = ++lives
    const startedAt = performance.now()
    let step: string | undefined
    const log = openSync(join(folder, `${name}-${life}.log`), 'w')
    const current = Bun.spawn([process.execPath, module, JSON.stringify(options.settings(life))], {
      env: { ...process.env, ...environment },
      stdin: 'ignore',
      stdout: log,
      stderr: log,
      serialization: 'json',
      ipc(message: FromPart) {
        if (message.kind === 'dying') step = message.step
        else {
          facts = message.facts
          slowestStartMs = Math.max(slowestStartMs, performance.now() - startedAt)
          options.onReady?.()
        }
      },
      onExit(_, code, signal) {
        const wasReady = facts !== undefined
        failedStarts = !wasReady && code !== null && code !== 0 ? failedStarts + 1 : 0
        facts = undefined
        child = undefined
        const death = { life, code, signal: code === null ? String(signal) : undefined, step, wasReady }
        if (!stopping) options.onDeath?.(death)
        if (!stopping && failedStarts < MOST_FAILED_STARTS) restart = setTimeout(start, options.restartAfterMs())
      },
    })
    child = current
  }

  start()
  return {
    name,
    get facts() {
      return facts
    },
    get lives() {
      return lives
    },
    get slowestStartMs() {
      return slowestStartMs
    },
    get pid() {
      return child?.pid
    },
    async ready(withinMs) {
      const until = performance.now() + withinMs
      while (!facts) {
        if (failedStarts >= MOST_FAILED_STARTS) throw new Error(`${name} does not start; see ${folder}/${name}-*.log`)
        if (performance.now() > until) throw new Error(`${name} is not ready after ${withinMs} ms; see its log`)
        await Bun.sleep(POLL_MS)
      }
    },
    signal(signal) {
      child?.kill(signal)
    },
    tell(message) {
      if (child && facts) child.send(message)
    },
    hold() {
      held = true
      clearTimeout(restart)
    },
    release() {
      held = false
      start()
    },
    async stop(withinMs) {
      stopping = true
      clearTimeout(restart)
      const current = child
      if (!current) return 0
      current.kill('SIGCONT')
      current.kill('SIGTERM')
      const timer = setTimeout(() => current.kill('SIGKILL'), withinMs)
      await current.exited
      clearTimeout(timer)
      return current.exitCode
    },
  }
}
