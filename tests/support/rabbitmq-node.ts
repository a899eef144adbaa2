import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

/** A RabbitMQ node of a test's own, which it may kill and alarm. */
export interface RabbitMqNode {
  readonly url: string
  /** Ends it as a power cut would; resolves when it is gone. */
  kill(): Promise<void>
  /** Starts it again on what is on its disk; resolves when it takes connections. */
  start(): Promise<void>
  /** The memory alarm: connections that publish are blocked until it is over. */
  alarm(on: boolean): Promise<void>
  /** Lets a quorum queue do nothing, as one without a leader: what is published to it is not confirmed until it goes on. */
  suspend(quorumQueue: string, on: boolean): Promise<void>
  /** Ends it, and deletes its folder. */
  stop(): Promise<void>
}

const BINARIES = [
  '/usr/lib/rabbitmq/bin/rabbitmq-server',
  '/usr/sbin/rabbitmq-server',
  '/opt/homebrew/sbin/rabbitmq-server',
]
const START_WITHIN_MS = 90_000

/** Where RabbitMQ is installed, if it is. */
export function findRabbitMqServer(): string | undefined {
  return BINARIES.find((path) => existsSync(path))
}

/** Starts a node on free ports, with everything it writes in a folder of its own. */
export async function startRabbitMqNode(binary: string): Promise<RabbitMqNode> {
  const [port, distributionPort] = await Promise.all([freePort(), freePort()])
  const name = `sluice-${process.pid}-${port}@localhost`
  const folder = mkdtempSync(join(tmpdir(), 'sluice-rabbitmq-node-'))
  const environment = {
    ...process.env,
    HOME: folder,
    RABBITMQ_NODENAME: name,
    RABBITMQ_NODE_PORT: String(port),
    RABBITMQ_DIST_PORT: String(distributionPort),
    RABBITMQ_NODE_IP_ADDRESS: '127.0.0.1',
    RABBITMQ_MNESIA_BASE: folder,
    RABBITMQ_LOG_BASE: folder,
    RABBITMQ_PID_FILE: join(folder, 'node.pid'),
    RABBITMQ_ENABLED_PLUGINS_FILE: join(folder, 'enabled_plugins'),
    ERL_EPMD_ADDRESS: '127.0.0.1',
  }
  let gone: Promise<unknown> = Promise.resolve()

  async function start(): Promise<void> {
    const log = openSync(join(folder, 'console.log'), 'a')
    const child = spawn(binary, [], { env: environment, stdio: ['ignore', log, log] })
    gone = new Promise((resolve) => child.once('exit', resolve))
    const endMs = performance.now() + START_WITHIN_MS
    while (!(await isOpen(port))) {
      if (performance.now() > endMs) throw new Error(`RabbitMQ did not open port ${port}; see ${folder}`)
      await Bun.sleep(50)
    }
  }

  async function end(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    process.kill(Number(readFileSync(environment.RABBITMQ_PID_FILE, 'utf8')), signal)
    await gone
  }

  async function control(...words: readonly string[]): Promise<void> {
    const command = [join(dirname(binary), 'rabbitmqctl'), '-n', name, ...words]
    const child = Bun.spawn(command, { env: environment, stdout: 'ignore', stderr: 'pipe' })
    if ((await child.exited) === 0) return
    throw new Error(`rabbitmqctl ${words.join(' ')}: ${await new Response(child.stderr).text()}`)
  }

  await start()
  return {
    url: `amqp://guest:guest@127.0.0.1:${port}`,
    start,
    kill: () => end('SIGKILL'),
    alarm: (on) => control('set_vm_memory_high_watermark', on ? '0' : '0.4'),
    suspend: (queue, on) => control('eval', `sys:${on ? 'suspend' : 'resume'}({'%2F_${queue}', node()}).`),
    async stop() {
      await end('SIGTERM')
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0))
    })
  })
}

function isOpen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port })
    const settle = (open: boolean) => {
      socket.destroy()
      resolve(open)
    }
    socket.once('connect', () => settle(true)).once('error', () => settle(false))
  })
}
