import type { EventBus } from '../../core/events.ts'
import type { Journal } from '../../core/journal.ts'

/** Why a reload is refused. */
export const EVENTS_NEED_RESTART =
  'a route announces events now, or topology has exchanges, and outbox and broker are opened at the start only: restart the gateway'

/** Why a reload is refused. */
export const JOURNAL_NEEDS_RESTART =
  'a route writes to several services now, and the journal is opened at the start only: restart the gateway'

/** For a configuration that writes nothing; a reload that would is refused. */
export const noJournal: Journal = {
  async begin() {
    throw new TypeError(JOURNAL_NEEDS_RESTART)
  },
}

/** For a configuration that announces nothing; a reload that would is refused. */
export const noEvents: EventBus = { intend: needRestart, accept: needRestart, status: needRestart }

async function needRestart(): Promise<never> {
  throw new TypeError(EVENTS_NEED_RESTART)
}
