import { expect } from 'bun:test'
import { join } from 'node:path'
import process from 'node:process'
import { until } from './real-time.ts'

const MAIN = join(import.meta.dir, '../../gateway/runtimes/bun/cli/main.ts')

/** `sluice` as a process of its own. */
export interface Program {
  readonly child: ReturnType<typeof spawn>
  /** What it has written to standard output and standard error so far. */
  readonly output: string
  /** Resolves with its exit code. */
  exit(withinMs?: number): Promise<number>
  /** The port it serves on, once the log says so. */
  port(): Promise<number>
  /** The same of its admin listener. */
  adminPort(): Promise<number>
}

/** Starts programs in a folder, and ends those that still run. */
export function startPrograms(folder: () => string) {
  const running: Program[] = []
  return {
    /** `sluice` with these parameters, and what is added to the environment. */
    run(parameters: readonly string[], environment: Readonly<Record<string, string>> = {}): Program {
      const program = createProgram(spawn(parameters, folder(), environment))
      running.push(program)
      return program
    },
    /** For `afterEach`. */
    endAll(): void {
      for (const { child } of running.splice(0)) child.kill('SIGKILL')
    },
  }
}

function spawn(parameters: readonly string[], cwd: string, environment: Readonly<Record<string, string>>) {
  return Bun.spawn([process.execPath, MAIN, ...parameters], {
    cwd,
    stdout: 'pipe',
    stderr: 'pipe',
    env: { ...process.env, NO_COLOR: '1', ...environment },
  })
}

function createProgram(child: ReturnType<typeof spawn>): Program {
  let output = ''
  for (const stream of [child.stdout, child.stderr]) void collect(stream)

  async function collect(stream: ReadableStream<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder()
    for await (const bytes of stream) output += decoder.decode(bytes, { stream: true })
  }

  async function portOf(key: 'url' | 'admin'): Promise<number> {
    const served = () => new RegExp(`"message":"serving".*"${key}":"http://127\\.0\\.0\\.1:(\\d+)"`).exec(output)?.[1]
    await until('the gateway to serve', () => served() !== undefined || child.exitCode !== null)
    expect(Number(served()), output).toBeGreaterThan(0)
    return Number(served())
  }

  return {
    child,
    get output() {
      return output
    },
    async exit(withinMs = 10_000) {
      await until(`the end of the program, which said: ${output}`, () => child.exitCode !== null, withinMs)
      return child.exitCode ?? -1
    },
    port: () => portOf('url'),
    adminPort: () => portOf('admin'),
  }
}
