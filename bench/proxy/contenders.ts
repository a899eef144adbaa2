import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Lab } from '../measure/lab.ts'
import { answering, nginxIn, proxying } from '../measure/nginx.ts'
import { CONTENDER_CORE, freePort, gatewayOn, LOAD_CORE, MANY_CALLS, onlyChildOf } from '../measure/processes.ts'
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

const CALLERS = 64
const BODY = '{"id":"p-1001","name":"Enamel mug","price":{"amount":1450,"currency":"EUR"},"stock":12}'

/** Starts the upstream and every contender, and sees each answer what the upstream answers. */
export async function startContenders(lab: Lab): Promise<Contender[]> {
  const { jwks, tokens } = await signTokens(CALLERS)
  const tokenFile = join(lab.folder('callers'), 'tokens')
  writeFileSync(tokenFile, tokens.join('\n'))

  const upstream = freePort()
  await lab.run({
    name: 'upstream',
    core: LOAD_CORE,
    port: upstream,
    command: (home) => nginxIn(home, answering(upstream, BODY, jwks)),
  })
  const nginx = freePort()
  const master = await lab.run({
    name: 'nginx',
    core: CONTENDER_CORE,
    port: nginx,
    command: (home) => nginxIn(home, proxying(nginx, upstream)),
  })
  const passthrough = freePort()
  const passthroughPid = await lab.run({
    name: 'passthrough',
    core: CONTENDER_CORE,
    port: passthrough,
    command: () => [process.execPath, PASSTHROUGH],
    environment: { ...MANY_CALLS, PORT: String(passthrough), UPSTREAM: `http://127.0.0.1:${upstream}` },
  })
  const gateway = freePort()
  const gatewayPid = await lab.run({
    ...gatewayOn(gateway, CONFIG),
    environment: { ...MANY_CALLS, BENCH_UPSTREAM_PORT: String(upstream) },
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

const PASSTHROUGH = fileURLToPath(new URL('passthrough.ts', import.meta.url))
const CONFIG = fileURLToPath(new URL('gateway.yaml', import.meta.url))

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
