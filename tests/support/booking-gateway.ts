import { join } from 'node:path'

export interface Addresses {
  readonly url: string
  readonly adminUrl: string
}

/** A gateway that books trips, in a process of its own. */
export interface BookingGateway {
  readonly pid: number
  /** Resolves with where it serves; with nothing when it was killed before, while it undid what another had left. */
  readonly served: Promise<Addresses | undefined>
  /** Resolves when it has ended: true when it has killed itself. */
  readonly ended: Promise<boolean>
  kill(signal: 'SIGKILL' | 'SIGTERM'): void
}

const SCRIPT = join(import.meta.dir, 'booking-gateway-process.ts')

/** Starts one that kills itself at the given step of its writes; at none when left out. */
export function startBookingGateway(config: string, step = 0): BookingGateway {
  const child = Bun.spawn([process.execPath, SCRIPT, config, String(step)], { stdout: 'pipe', stderr: 'inherit' })
  const served = Promise.withResolvers<Addresses | undefined>()
  let said = ''
  const ended = (async () => {
    for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
      said += text
      const [first = '', ...more] = said.split('\n')
      if (more.length > 0 && first.startsWith('{')) served.resolve(JSON.parse(first))
    }
    served.resolve(undefined)
    await child.exited
    return said.includes('dies\n')
  })()
  return { pid: child.pid, served: served.promise, ended, kill: (signal) => child.kill(signal) }
}

/** Books a trip under a key of its own; undefined when nobody answers. */
export async function bookTrip(addresses: Addresses | undefined, trip: string): Promise<number | undefined> {
  if (!addresses) return undefined
  try {
    const init = { method: 'POST', headers: { 'idempotency-key': `key-of-${trip}` } }
    const response = await fetch(`${addresses.url}/trips/${trip}`, init)
    await response.arrayBuffer()
    return response.status
  } catch {
    return undefined
  }
}

/** How many requests have writes under way, to be undone, or given up. */
export async function countSagas({ adminUrl }: Addresses) {
  const response = await fetch(`${adminUrl}/_sluice/compensations`)
  const { counts } = (await response.json()) as {
    readonly counts: { readonly open: number; readonly undoing: number; readonly parked: number }
  }
  return counts
}
