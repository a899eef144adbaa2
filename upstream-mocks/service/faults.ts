import { Hono, type MiddlewareHandler } from 'hono'
import { z } from 'zod'
import { toResponse } from './problem.ts'
import { readJson } from './read-json.ts'

const faultSettings = z.strictObject({
  latencyMs: z.number().int().min(0).max(60_000).default(0),
  errorRate: z.number().min(0).max(1).default(0),
  status: z.number().int().min(400).max(599).default(503),
  hang: z.boolean().default(false),
})

/** How a service misbehaves: waits `latencyMs`, then hangs, or fails with `status` in `errorRate` (0 to 1) of the calls. */
export type FaultSettings = z.output<typeof faultSettings>

/** Waits, and returns early when the signal aborts. */
export type Sleep = (durationMs: number, signal: AbortSignal) => Promise<void>

/** What faults need from outside: chance in [0, 1) and a way to wait. */
export interface FaultOptions {
  readonly random: () => number
  readonly sleep: Sleep
}

/** The faults of one service: a router to read and set them, and the middleware that applies them. */
export interface Faults {
  readonly router: Hono
  readonly apply: MiddlewareHandler
  /** Lets hanging requests go, for a service that stops. */
  stop(): void
}

/** Makes a service breakable at `PUT /_faults`. Each PUT replaces all settings; fields left out go back to harmless. */
export function createFaults({ random, sleep }: FaultOptions): Faults {
  let settings: FaultSettings = faultSettings.parse({})
  let changed = new AbortController()

  function change(next: FaultSettings): void {
    settings = next
    // Requests that hang or wait now must see the new settings, or healing a service would not heal them.
    changed.abort()
    changed = new AbortController()
  }

  const router = new Hono()
  router.get('/', (c) => c.json(settings))
  router.put('/', async (c) => {
    const body = await readJson(c, faultSettings)
    if (!body.ok) return body.refusal
    change(body.value)
    return c.json(settings)
  })

  const apply: MiddlewareHandler = async (c, next) => {
    const client = c.req.raw.signal
    if (settings.latencyMs > 0) await sleep(settings.latencyMs, AbortSignal.any([client, changed.signal]))
    while (settings.hang && !client.aborted) await aborted(AbortSignal.any([client, changed.signal]))
    if (client.aborted || random() >= settings.errorRate) return next()
    return toResponse({ ...PLANNED, status: settings.status })
  }

  return { router, apply, stop: () => change(faultSettings.parse({})) }
}

const PLANNED = {
  code: 'planned-fault',
  title: 'This failure was asked for',
  detail: 'PUT /_faults set an error rate on this service; PUT {} there to heal it',
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
}
