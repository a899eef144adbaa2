import { fileURLToPath } from 'node:url'
import { z } from 'zod'

export interface LoadOptions {
  readonly url: string
  readonly seconds: number
  readonly connections: number
  /** The core wrk runs on. */
  readonly core: number
  /** Lua script that makes the requests and prints the outcome; `load.lua` when left out. */
  readonly script?: string
  /** What the script takes after `--`: for `load.lua`, a file with a bearer token a line, sent in turn. */
  readonly parameters?: readonly string[]
}

const outcome = z.object({
  requests: z.int(),
  durationUs: z.number().positive(),
  p50Us: z.number(),
  p99Us: z.number(),
  errors: z.record(z.string(), z.int()),
})

/** What wrk saw; `errors` holds only the kinds that happened. */
export type Load = z.output<typeof outcome>

/** Sends as many requests as get answered over kept connections, and resolves when the time is up. */
export async function applyLoad(options: LoadOptions): Promise<Load> {
  const { url, seconds, connections, core, script = SCRIPT, parameters = [] } = options
  const wrk = ['wrk', '-t1', `-c${connections}`, `-d${seconds}s`, '--timeout', '5s', '-s', script, url]
  const given = parameters.length === 0 ? [] : ['--', ...parameters]
  const child = Bun.spawn(['taskset', '-c', String(core), ...wrk, ...given], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const [output, complaint, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ])
  if (code !== 0) throw new Error(`wrk ended with ${code}: ${complaint || output}`)
  return parseLoad(output)
}

/** Finds the line of JSON that `load.lua` prints. Throws when there is none. */
export function parseLoad(output: string): Load {
  const line = output.split('\n').findLast((text) => text.startsWith('{'))
  if (line === undefined) throw new Error(`wrk printed no result:\n${output}`)
  const load = outcome.parse(JSON.parse(line))
  return { ...load, errors: Object.fromEntries(Object.entries(load.errors).filter(([, count]) => count > 0)) }
}

const SCRIPT = fileURLToPath(new URL('load.lua', import.meta.url))
