import type { Plan } from '../../config/plan.ts'

/** A connection must outlast the longest wait for an upstream: the longest silence on one, in milliseconds. */
export function idleOf({ server, routes }: Plan): number {
  return Math.max(server.limits.idle, ...routes.map(({ timeoutMs }) => timeoutMs + 8_000))
}

/** The keys that say another thing in `after`, and do so with a restart only: listeners and services are opened at the start. */
export function restartNeeds(before: Plan, after: Plan): string[] {
  const [old, current] = [fixedAtStart(before), fixedAtStart(after)]
  return Object.keys(current).filter((key) => JSON.stringify(old[key]) !== JSON.stringify(current[key]))
}

function fixedAtStart(plan: Plan): Readonly<Record<string, unknown>> {
  const { host, port, admin, limits } = plan.server
  const { store, broker, outbox } = plan.services
  // Exchanges are declared before their first use in any case.
  const topology = plan.topology.filter((it) => it.kind !== 'exchange' || it.isOthers)
  const idle = idleOf(plan)
  return {
    'server.host': host,
    'server.port': port,
    'server.admin.host': admin.host,
    'server.admin.port': admin.port,
    'server.admin.token': admin.token,
    'server.limits.headers': limits.headers,
    'server.limits.url': limits.url,
    [limits.idle === idle ? 'server.limits.idle' : 'timeout (how long a connection may be silent)']: idle,
    'services.store': store,
    'services.broker': broker,
    'services.outbox': outbox,
    topology,
  }
}
