import type { Clock } from '../core/clock.ts'
import type { Metrics } from '../core/telemetry.ts'
import type { Outbox } from './outbox.ts'

/** Sets the gauges that say how full the outbox is. Rejects when it cannot be read. */
export async function measureOutbox(outbox: Outbox, clock: Clock, metrics: Metrics): Promise<void> {
  const { committed, unknown, parked, oldestCommittedAtMs } = await outbox.counts()
  const ageMs = oldestCommittedAtMs === undefined ? 0 : Math.max(0, clock.now() - oldestCommittedAtMs)
  metrics.gauge('sluice_outbox_pending', committed)
  metrics.gauge('sluice_outbox_oldest_age_seconds', ageMs / 1_000)
  metrics.gauge('sluice_outbox_unknown', unknown)
  metrics.gauge('sluice_outbox_parked', parked)
}
