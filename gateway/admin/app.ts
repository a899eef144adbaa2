import { Hono } from 'hono'
import type { CompensationOperations, Operations } from '../core/operations.ts'
import type { AdminAccess } from './guard.ts'
import { createOperationsApp } from './operations.ts'

/** How one dependency is doing. `required` ones decide whether the gateway is ready; the others only degrade it. */
export interface Dependency {
  readonly name: string
  readonly required: boolean
  readonly ok: boolean
  readonly detail?: string
}

export interface AdminParts {
  /** False once a stop has begun. */
  readonly accepting: () => boolean
  readonly dependencies: () => Promise<readonly Dependency[]>
  readonly metrics: () => Promise<{ readonly contentType: string; readonly text: string }>
  /** Undefined where no event is announced. */
  readonly operations: Operations | undefined
  /** Undefined where no route writes to several services. */
  readonly compensations: CompensationOperations | undefined
  readonly access: AdminAccess
}

/** Health, readiness and metrics for everybody who reaches the admin listener, and the operations for operators. */
export function createAdminApp(parts: AdminParts): Hono {
  const { accepting, dependencies, metrics, operations, compensations, access } = parts
  const app = new Hono()
  app.get('/', (c) =>
    c.json({
      see: ['health', 'ready', 'metrics', 'outbox', 'dead-letters', 'compensations'].map((name) => `/_sluice/${name}`),
    }),
  )
  app.get('/_sluice/health', (c) => c.json({ status: 'ok' }))
  app.get('/_sluice/ready', async (c) => {
    const states = await dependencies()
    const isReady = accepting() && states.every(({ ok, required }) => ok || !required)
    const status = !accepting()
      ? 'draining'
      : !isReady
        ? 'unavailable'
        : states.every(({ ok }) => ok)
          ? 'ready'
          : 'degraded'
    return c.json({ status, dependencies: states }, isReady ? 200 : 503)
  })
  app.get('/_sluice/metrics', async (c) => {
    const { contentType, text } = await metrics()
    return c.body(text, 200, { 'content-type': contentType })
  })
  app.route('/_sluice', createOperationsApp({ operations, compensations }, access))
  return app
}
