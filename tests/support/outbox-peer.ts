import { join } from 'node:path'

/** Another process that has the same outbox open. */
export interface OutboxPeer {
  readonly pid: number
  /** Calls a method of its outbox (or `orders`, see the script) and resolves with what came of it. */
  call(name: string, ...args: unknown[]): Promise<unknown>
  signal(name: 'SIGSTOP' | 'SIGCONT'): void
  /** Ends it without a chance to tidy up. */
  kill(): Promise<void>
}

const SCRIPT = join(import.meta.dir, 'outbox-peer-process.ts')

export interface OutboxPeerOptions {
  readonly capacity?: number
  /** The largest file it may write, in bytes; what is beyond fails as on a bad disk. `prlimit` lifts it. */
  readonly largestFile?: number
}

/** Starts a process that opens the outbox at `path`; resolves once it has. */
export async function startOutboxPeer(path: string, options: OutboxPeerOptions = {}): Promise<OutboxPeer> {
  const { capacity = 100_000, largestFile } = options
  const command = [process.execPath, SCRIPT, path, String(capacity)]
  // Without the trap the signal of the limit would end the process.
  const limit = ['sh', '-c', `trap '' XFSZ; ulimit -S -f ${(largestFile ?? 0) / 512}; exec "$@"`, 'sh']
  const child = Bun.spawn(largestFile === undefined ? command : [...limit, ...command], {
    stdin: 'pipe',
    stdout: 'pipe',
    stderr: 'inherit',
  })
  const lines = readLines(child.stdout)
  const next = async () => {
    const { value } = await lines.next()
    if (value === undefined) throw new Error('The other process ended')
    return JSON.parse(value) as unknown
  }
  await next()
  return {
    pid: child.pid,
    async call(...command) {
      child.stdin.write(`${JSON.stringify(command)}\n`)
      child.stdin.flush()
      return await next()
    },
    signal: (name) => child.kill(name),
    async kill() {
      child.kill('SIGKILL')
      await child.exited
    },
  }
}

async function* readLines(stream: ReadableStream<Uint8Array>): AsyncGenerator<string, undefined> {
  let rest = ''
  const decoder = new TextDecoder()
  for await (const chunk of stream) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n')
    rest = lines.pop() ?? ''
    yield* lines
  }
  return undefined
}
