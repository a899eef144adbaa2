import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type RunningProcess, startProcess, untilAnswering } from './processes.ts'

/** A program to start and wait for. */
export interface Program {
  readonly name: string
  readonly core: number
  /** Where it answers once it is ready. */
  readonly port: number
  /** Builds the command line, given a folder of its own. */
  readonly command: (home: string) => readonly string[]
  readonly environment?: Readonly<Record<string, string>>
}

/** A folder and the programs started in it. */
export interface Lab {
  /** A new folder of this name. */
  folder(name: string): string
  /** Starts a program and resolves with its process id once it answers. */
  run(program: Program): Promise<number>
  /** The same, for a program that is stopped before the end. */
  start(program: Program): Promise<RunningProcess>
  /** Something else to undo in the end, after the programs have been stopped; the latest first. */
  afterwards(stop: () => Promise<unknown>): void
}

/** Runs `work` with a lab, and leaves neither files nor programs behind, whatever happens. */
export async function withLab<Result>(work: (lab: Lab) => Promise<Result>): Promise<Result> {
  const directory = mkdtempSync(join(tmpdir(), 'sluice-bench-'))
  const running: RunningProcess[] = []
  const stops: (() => Promise<unknown>)[] = []
  const cleanUp = async () => {
    await Promise.all(running.splice(0).map((one) => one.stop()))
    for (const stop of stops.splice(0).reverse()) await stop()
    rmSync(directory, { recursive: true, force: true })
  }
  const interrupted = () => void cleanUp().finally(() => process.exit(130))
  process.once('SIGINT', interrupted).once('SIGTERM', interrupted)
  const folder = (name: string) => {
    const home = join(directory, name)
    mkdirSync(home)
    return home
  }
  const start = async ({ name, core, port, command, environment = {} }: Program) => {
    const home = folder(name)
    const started = startProcess({ command: command(home), core, errorFile: join(home, 'stderr'), environment })
    running.push(started)
    await untilAnswering(`http://127.0.0.1:${port}/`, started)
    return started
  }
  try {
    return await work({
      folder,
      start,
      run: async (program) => (await start(program)).pid,
      afterwards(stop) {
        stops.push(stop)
      },
    })
  } finally {
    process.off('SIGINT', interrupted).off('SIGTERM', interrupted)
    await cleanUp()
  }
}
