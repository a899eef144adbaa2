/** Another process that has the same file open, and obeys: see the scripts `*-peer-process.ts`. */
export interface Peer {
  readonly pid: number
  /** Calls a method of what it has open and resolves with what came of it. */
  call(name: string, ...args: unknown[]): Promise<unknown>
  signal(name: 'SIGSTOP' | 'SIGCONT'): void
  /** Ends it without a chance to tidy up. */
  kill(): Promise<void>
}

export interface PeerOptions {
  /** Full path of the script, and its parameters. */
  readonly script: readonly string[]
  /** The largest file it may write, in bytes; what is beyond fails as on a bad disk. `prlimit` lifts it. */
  readonly largestFile?: number | undefined
}

/** Starts a process; resolves once it has opened its file. */
export async function startPeer({ script, largestFile }: PeerOptions): Promise<Peer> {
  const command = [process.execPath, ...script]
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
    async call(...words) {
      child.stdin.write(`${JSON.stringify(words)}\n`)
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

/** The other end: calls `obey` for each line on stdin, a JSON list of words, and answers with a JSON line on stdout. */
export async function servePeer(obey: (name: string, ...args: readonly unknown[]) => unknown): Promise<void> {
  process.stdout.write('"open"\n')
  for await (const line of console) {
    const [name, ...args] = JSON.parse(line) as [string, ...unknown[]]
    const answer = await Promise.resolve()
      .then(() => obey(name, ...args))
      .catch((error: Error) => ({ error: error.message }))
    process.stdout.write(`${JSON.stringify(answer ?? null)}\n`)
  }
}
