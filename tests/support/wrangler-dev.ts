import { spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { until } from './real-time.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const WORKER = join(ROOT, 'gateway/runtimes/workers/worker.ts')

/** How long workerd may take to start on a slow machine, in milliseconds. */
export const WRANGLER_STARTS_WITHIN_MS = 60_000

/** A gateway inside workerd, served by `wrangler dev`. */
export interface WranglerDev {
  readonly port: number
  readonly url: string
  /** Everything it has printed so far. */
  output(): string
  /** The facts of every access log line so far. */
  records(): readonly Readonly<Record<string, unknown>>[]
  stop(): Promise<void>
}

export interface WranglerDevOptions {
  /** A configuration to serve instead of `config/gateway.yaml`. */
  readonly config?: unknown
}

/**
 * Starts `wrangler dev` with our `wrangler.toml` on a free port, without an account, and waits until it serves. Rejects
 * with what it printed when it ends instead.
 */
export async function startWranglerDev({ config }: WranglerDevOptions = {}): Promise<WranglerDev> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-wrangler-'))
  const entry = config === undefined ? [] : [await writeEntry(folder, config)]
  const port = await freePort()
  const child = spawn(
    join(ROOT, 'node_modules/.bin/wrangler'),
    [
      ...['dev', ...entry, '--config', join(ROOT, 'wrangler.toml'), '--ip', '127.0.0.1', '--port', `${port}`],
      ...['--inspector-port', '0', '--persist-to', folder, '--show-interactive-dev-session=false'],
    ],
    {
      cwd: ROOT,
      // A group of its own: wrangler's workerd has to end with it.
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        ...process.env,
        PATH: `${join(ROOT, 'node_modules/.bin')}:${process.env.PATH}`,
        CI: 'true',
        NO_COLOR: '1',
        WRANGLER_SEND_METRICS: 'false',
        XDG_CONFIG_HOME: folder,
      },
    },
  )
  let output = ''
  let ended = false
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString()
  })
  child.stderr.on('data', (chunk: Buffer) => {
    output += chunk.toString()
  })
  const exited = new Promise<void>((resolve) => {
    child.on('close', () => {
      ended = true
      resolve()
    })
  })
  const signal = (name: 'SIGTERM' | 'SIGKILL') => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, name)
    } catch {
      // The group is gone already.
    }
  }
  const stop = async () => {
    signal('SIGTERM')
    const late = setTimeout(signal, 5_000, 'SIGKILL')
    await exited
    clearTimeout(late)
    await rm(folder, { recursive: true, force: true })
  }
  try {
    await until('wrangler dev ready', () => ended || output.includes('Ready on'), WRANGLER_STARTS_WITHIN_MS)
    if (ended) throw new Error(`wrangler dev has ended:\n${output}`)
  } catch (error) {
    await stop()
    throw error
  }
  return {
    port,
    url: `http://127.0.0.1:${port}`,
    output: () => output,
    records: () => output.split('\n').flatMap(readRecord),
    stop,
  }
}

/** The Worker of `main.ts` with another configuration beside it. */
async function writeEntry(folder: string, config: unknown): Promise<string> {
  const entry = join(folder, 'main.ts')
  await writeFile(join(folder, 'gateway.yaml'), JSON.stringify(config, undefined, 1))
  await writeFile(
    entry,
    `import { env } from 'cloudflare:workers'
import config from './gateway.yaml'
import { createWorker } from ${JSON.stringify(WORKER)}
export default createWorker(config, env)
`,
  )
  return entry
}

function readRecord(line: string): readonly Readonly<Record<string, unknown>>[] {
  return line.startsWith('{"time"') && line.includes('"message":"request"') ? [JSON.parse(line)] : []
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  const address = server.address()
  await new Promise((closed) => server.close(closed))
  if (address === null || typeof address === 'string') throw new Error('No free port')
  return address.port
}
