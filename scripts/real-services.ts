import { spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

/** A server tests run against, found or started. */
export interface RealService {
  readonly url: string
  /** How it was found, for the person who reads the output. */
  readonly how: string
  /** Further variables for tests, e.g. how to stop and start it. */
  readonly environment?: Readonly<Record<string, string>>
  stop(): Promise<void>
}

interface Recipe {
  readonly name: string
  readonly variable: string
  readonly usualPort: number
  readonly usualUrl: string
  readonly binaries: readonly string[]
  readonly debianPackage: string
  readonly composeService: string
  start(binary: string): Promise<RealService>
}

const REDIS: Recipe = {
  name: 'Redis',
  variable: 'REDIS_TEST_URL',
  usualPort: 6379,
  usualUrl: 'redis://127.0.0.1:6379',
  binaries: ['/usr/bin/redis-server', '/usr/local/bin/redis-server', '/opt/homebrew/bin/redis-server'],
  debianPackage: 'redis-server',
  composeService: 'redis',
  async start(binary) {
    const port = 16_379
    const child = spawn(binary, ['--port', String(port), '--save', '', '--appendonly', 'no', '--bind', '127.0.0.1'], {
      stdio: 'ignore',
    })
    await untilOpen(port, 10_000, 'Redis')
    return { url: `redis://127.0.0.1:${port}`, how: `started ${binary}`, stop: () => end(child) }
  },
}

const RABBITMQ: Recipe = {
  name: 'RabbitMQ',
  variable: 'AMQP_TEST_URL',
  usualPort: 5672,
  usualUrl: 'amqp://guest:guest@127.0.0.1:5672',
  binaries: [
    '/usr/lib/rabbitmq/bin/rabbitmq-server',
    '/usr/sbin/rabbitmq-server',
    '/opt/homebrew/sbin/rabbitmq-server',
  ],
  debianPackage: 'rabbitmq-server',
  composeService: 'rabbitmq',
  async start(binary) {
    const port = 15_672
    const node = 'sluice-test@localhost'
    const folder = mkdtempSync(join(tmpdir(), 'sluice-rabbitmq-'))
    const child = spawn(binary, [], {
      stdio: 'ignore',
      env: {
        ...process.env,
        HOME: folder,
        RABBITMQ_NODENAME: node,
        RABBITMQ_NODE_PORT: String(port),
        RABBITMQ_DIST_PORT: String(port + 20_000),
        RABBITMQ_NODE_IP_ADDRESS: '127.0.0.1',
        RABBITMQ_MNESIA_BASE: folder,
        RABBITMQ_LOG_BASE: folder,
        RABBITMQ_ENABLED_PLUGINS_FILE: join(folder, 'enabled_plugins'),
        ERL_EPMD_ADDRESS: '127.0.0.1',
      },
    })
    await untilOpen(port, 90_000, 'RabbitMQ')
    return {
      url: `amqp://guest:guest@127.0.0.1:${port}`,
      how: `started ${binary}`,
      environment: {
        AMQP_TEST_CONTROL: join(dirname(binary), 'rabbitmqctl'),
        AMQP_TEST_NODE: node,
        AMQP_TEST_HOME: folder,
      },
      stop: () => end(child),
    }
  },
}

/** Finds or starts Redis: an environment variable, a running server, a binary, the Debian package, Docker Compose. */
export const findRedis = () => find(REDIS)
/** Finds or starts RabbitMQ, in the same order. */
export const findRabbitMq = () => find(RABBITMQ)

async function find(recipe: Recipe): Promise<RealService | { readonly missing: string }> {
  const given = process.env[recipe.variable]
  if (given) return { url: given, how: `given by ${recipe.variable}`, stop: async () => {} }
  if (await isOpen(recipe.usualPort))
    return { url: recipe.usualUrl, how: `already running on port ${recipe.usualPort}`, stop: async () => {} }
  const binary = locate(recipe)
  if (binary !== undefined) return recipe.start(binary)
  if (install(recipe)) {
    const installed = locate(recipe)
    if (installed !== undefined) return recipe.start(installed)
  }
  if (await compose(recipe))
    return { url: recipe.usualUrl, how: 'started by Docker Compose', stop: async () => composeDown(recipe) }
  return {
    missing: `${recipe.name} was not found and could not be started: set ${recipe.variable}, start it on port ${recipe.usualPort}, install ${recipe.debianPackage}, or start Docker`,
  }
}

function locate({ binaries, debianPackage }: Recipe): string | undefined {
  return binaries.find((path) => existsSync(path)) ?? (Bun.which(debianPackage) || undefined)
}

/** Debian packages do not start their service here: a private instance on a port of its own is started instead. */
function install({ name, debianPackage }: Recipe): boolean {
  if (process.getuid?.() !== 0 || !Bun.which('apt-get')) return false
  console.log(`  installing ${debianPackage} for ${name}…`)
  const options = {
    stdio: 'ignore',
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' },
  } as const
  spawnSync('apt-get', ['update'], options)
  return spawnSync('apt-get', ['install', '-y', '--no-install-recommends', debianPackage], options).status === 0
}

async function compose({ name, composeService, usualPort }: Recipe): Promise<boolean> {
  if (!Bun.which('docker') || spawnSync('docker', ['info'], { stdio: 'ignore', timeout: 5_000 }).status !== 0)
    return false
  if (spawnSync('docker', ['compose', 'up', '-d', composeService], { stdio: 'ignore', timeout: 300_000 }).status !== 0)
    return false
  await untilOpen(usualPort, 60_000, name)
  return true
}

function composeDown({ composeService }: Recipe): void {
  spawnSync('docker', ['compose', 'rm', '-sf', composeService], { stdio: 'ignore', timeout: 60_000 })
}

async function untilOpen(port: number, withinMs: number, name: string): Promise<void> {
  const until = Date.now() + withinMs
  while (!(await isOpen(port))) {
    if (Date.now() > until) throw new Error(`${name} did not open port ${port} within ${withinMs / 1_000} s`)
    await Bun.sleep(100)
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

type Child = ReturnType<typeof spawn>

/** Only a process we started, by its id. */
async function end(child: Child): Promise<void> {
  if (child.exitCode !== null) return
  const gone = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGTERM')
  await Promise.race([gone, Bun.sleep(10_000).then(() => child.kill('SIGKILL'))])
}
