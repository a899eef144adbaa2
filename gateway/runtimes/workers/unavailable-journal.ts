import { GatewayError } from '../../core/errors.ts'
import type { Journal } from '../../core/journal.ts'

/** Refuses every request that writes to several services: half of it could stay behind with nobody to know. */
export const unavailableJournal: Journal = {
  async begin() {
    throw new GatewayError('not-implemented', {
      detail: 'This route needs a journal for its writes, and the gateway on Workers has none yet',
    })
  },
}
