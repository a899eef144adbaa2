import { fileURLToPath } from 'node:url'
import type { Lab } from '../measure/lab.ts'
import { CONTENDER_CORE, freePort, gatewayOn, MANY_CALLS } from '../measure/processes.ts'
import { writeConfig } from './pages.ts'

const BY_HAND = fileURLToPath(new URL('by-hand.ts', import.meta.url))

export interface Contender {
  readonly name: string
  readonly port: number
  readonly pid: number
}

/** The gateway and the same fan-out by hand, both before one upstream. */
export async function startContenders(lab: Lab, upstreamPort: number): Promise<Contender[]> {
  const byHand = freePort()
  const byHandPid = await lab.run({
    name: `by-hand-${upstreamPort}`,
    core: CONTENDER_CORE,
    port: byHand,
    command: () => [process.execPath, BY_HAND],
    environment: { ...MANY_CALLS, PORT: String(byHand), UPSTREAM: `http://127.0.0.1:${upstreamPort}` },
  })
  const gateway = freePort()
  const config = writeConfig(lab.folder(`config-${upstreamPort}`), upstreamPort)
  const gatewayPid = await lab.run({
    ...gatewayOn(gateway, config),
    name: `gateway-${upstreamPort}`,
    environment: MANY_CALLS,
  })
  return [
    { name: 'by hand', port: byHand, pid: byHandPid },
    { name: 'gateway', port: gateway, pid: gatewayPid },
  ]
}
