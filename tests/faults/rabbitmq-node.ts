import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

/** A RabbitMQ node of our own, that may be killed and alarmed. */
export interface RabbitMqNode {
  readonly port: number
  /** Kills it as a power cut would; resolves when it is gone. */
  kill(): Promise<void>
  /** Starts it again on what is on its disk; resolves when it takes connections. */
  start(): Promise<void>
  /** The memory alarm: connections that publish are blocked, until it is over. */
  alarm(on: boolean): Promise<void>
  /** Ends it, and deletes its folder. */
  stop(): Promise<void>
}

const BINARIES = [
  '/usr/lib/rabbitmq/bin/rabbitmq-server',
  '/usr/sbin/rabbitmq-server',
  '/opt/homebrew/sbin/rabbitmq-server',
]
const START_WITHIN_MS = 90_000
/**
 * RabbitMQ 3.10 leaves a quorum queue without a leader now and then when its only node was killed and started again
 * ("leader not known"): it takes no message and gives none until an operator asks for an election.
 */
const ELECT =
  '[catch ra:trigger_election(amqqueue:get_pid(Q)) || Q <- rabbit_amqqueue:list(), amqqueue:get_type(Q) =:= rabbit_quorum_queue].'

/** Where RabbitMQ is installed, if it is. */
export function findRabbitMq(): string | undefined {
  return BINARIES.find((path) => existsSync(path))
}

/** Starts a node on this port and the next one (for Erlang), with everything it writes in a folder of its own. */
export async function startRabbitMqNode(binary: string, port: number): Promise<RabbitMqNode> {
  const name = `sluice-faults-${process.pid}@localhost`
  const folder = mkdtempSync(join(tmpdir(), 'sluice-faults-rabbitmq-'))
  const environment = {
    ...process.env,
    HOME: folder,
    RABBITMQ_NODENAME: name,
    RABBITMQ_NODE_PORT: String(port),
    RABBITMQ_DIST_PORT: String(port + 1),
    RABBITMQ_NODE_IP_ADDRESS: '127.0.0.1',
    RABBITMQ_MNESIA_BASE: folder,
    RABBITMQ_LOG_BASE: folder,
    RABBITMQ_PID_FILE: join(folder, 'node.pid'),
    RABBITMQ_ENABLED_PLUGINS_FILE: join(folder, 'enabled_plugins'),
    ERL_EPMD_ADDRESS: '127.0.0.1',
  }
  let gone: Promise<unknown> = Promise.resolve()
  let isRunning = false
  // Whoever interrupts a campaign must not have to look for a broker he has never heard of.
  process.on('exit', () => {
    if (isRunning) process.kill(Number(readFileSync(environment.RABBITMQ_PID_FILE, 'utf8')), 'SIGKILL')
    rmSync(folder, { recursive: true, force: true })
  })

  async function start(): Promise<void> {
    const log = openSync(join(folder, 'console.log'), 'a')
    const child = spawn(binary, [], { env: environment, stdio: ['ignore', log, log] })
    isRunning = true
    gone = new Promise<void>((resolve) => child.once('exit', () => resolve())).then(() => {
      isRunning = false
    })
    const until = performance.now() + START_WITHIN_MS
    while (!(await isOpen(port))) {
      if (!isRunning || performance.now() > until) throw new Error(`RabbitMQ did not open port ${port}; see ${folder}`)
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
    port,
    async start() {
      await start()
      await control('eval', ELECT)
    },
    kill: () => end('SIGKILL'),
    alarm: (on) => control('set_vm_memory_high_watermark', on ? '0' : '0.4'),
    async stop() {
      await end('SIGTERM')
      rmSync(folder, { recursive: true, force: true })
    },
  }
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
