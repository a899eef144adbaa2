import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { answering, nginxIn, proxying } from './nginx.ts'
import { freePort, onlyChildOf, type RunningProcess, startProcess } from './processes.ts'
import { signTokens } from './tokens.ts'

/** One row of the report: a proxy that runs, and a way through it. */
export interface Contender {
  readonly name: string
  readonly url: string
  /** The process whose processor time counts. */
  readonly pid: number
  /** File of the tokens it is to be asked with. */
  readonly tokens?: string
}

/** The contenders share this core, one at a time; everything else is kept off it. */
const CONTENDER_CORE = 0
export const LOAD_CORE = 1
const CALLERS = 64
const BODY = '{"id":"p-1001","name":"Enamel mug","price":{"amount":1450,"currency":"EUR"},"stock":12}'
const READY_WITHIN_MS = 10_000

/**
 * Starts the upstream and every contender in `directory`, and sees each answer what the upstream answers. What has been
 * started is in `running` from that moment on, so that it can be stopped whatever happens.
 */
export async function startContenders(directory: string, running: RunningProcess[]): Promise<Contender[]> {
  const run = async (
    name: string,
    core: number,
    port: number,
    command: (home: string) => string[],
    environment = {},
  ) => {
    const home = join(directory, name)
    mkdirSync(home)
    const started = startProcess({ command: command(home), core, errorFile: join(home, 'stderr'), environment })
    running.push(started)
    await untilAnswering(`http://127.0.0.1:${port}/`, started)
    return started.pid
  }
  const { jwks, tokens } = await signTokens(CALLERS)
  const tokenFile = join(directory, 'tokens')
  writeFileSync(tokenFile, tokens.join('\n'))

  const upstream = freePort()
  await run('upstream', LOAD_CORE, upstream, (home) => nginxIn(home, answering(upstream, BODY, jwks)))
  const nginx = freePort()
  const master = await run('nginx', CONTENDER_CORE, nginx, (home) => nginxIn(home, proxying(nginx, upstream)))
  const passthrough = freePort()
  const passthroughPid = await run('passthrough', CONTENDER_CORE, passthrough, () => [process.execPath, PASSTHROUGH], {
    ...MANY_CALLS,
    PORT: String(passthrough),
    UPSTREAM: `http://127.0.0.1:${upstream}`,
  })
  const gateway = freePort()
  const start = ['start', '--config', CONFIG, '--port', String(gateway), '--admin-port', '0']
  const gatewayPid = await run('gateway', CONTENDER_CORE, gateway, () => [process.execPath, GATEWAY, ...start], {
    ...MANY_CALLS,
    BENCH_UPSTREAM_PORT: String(upstream),
  })

  const contenders: Contender[] = [
    { name: 'nginx', url: `http://127.0.0.1:${nginx}/bare/1`, pid: onlyChildOf(master) },
    { name: 'bare Bun passthrough', url: `http://127.0.0.1:${passthrough}/bare/1`, pid: passthroughPid },
    { name: 'gateway, bare route', url: `http://127.0.0.1:${gateway}/bare/1`, pid: gatewayPid },
    {
      name: 'gateway, four policies',
      url: `http://127.0.0.1:${gateway}/guarded/1`,
      pid: gatewayPid,
      tokens: tokenFile,
    },
  ]
  for (const contender of contenders) await seeItAnswer(contender, tokens)
  return contenders
}

const MANY_CALLS = { BUN_CONFIG_MAX_HTTP_REQUESTS: '16384' }
const PASSTHROUGH = fileURLToPath(new URL('passthrough.ts', import.meta.url))
const GATEWAY = fileURLToPath(new URL('../gateway/runtimes/bun/cli/main.ts', import.meta.url))
const CONFIG = fileURLToPath(new URL('gateway.yaml', import.meta.url))

async function untilAnswering(url: string, started: RunningProcess): Promise<void> {
  const giveUpAt = Date.now() + READY_WITHIN_MS
  for (;;) {
    const failure = started.failure()
    if (failure !== undefined) throw new Error(failure)
    try {
      await fetch(url)
      return
    } catch (error) {
      if (Date.now() > giveUpAt)
        throw new Error(`Nothing answers at ${url} after ${READY_WITHIN_MS} ms`, { cause: error })
      await Bun.sleep(20)
    }
  }
}

/** A proxy that answers fast but wrong must not win; a route with tokens must refuse a request without. */
async function seeItAnswer({ name, url, tokens: needed }: Contender, tokens: readonly string[]): Promise<void> {
  const headers = needed === undefined ? {} : { authorization: `Bearer ${tokens[0]}` }
  const response = await fetch(url, { headers })
  const body = await response.text()
  if (response.status !== 200 || body !== BODY) throw new Error(`${name} answers ${response.status} ${body}`)
  if (needed === undefined) return
  const without = await fetch(url)
  await without.body?.cancel()
  if (without.status !== 401) throw new Error(`${name} answers ${without.status} to a request without a token`)
}
