import { testKnownWounds } from '../../tests/support/known-wounds.ts'
import { testSeveralRelays } from '../../tests/support/several-relays.ts'
import { createMemoryOutbox } from './memory-outbox.ts'

/** Every process has the same one, and none of them may end it for the others. */
function createOpener() {
  const outbox = { ...createMemoryOutbox(), close: async () => {} }
  return () => outbox
}

testKnownWounds('the memory outbox', createOpener)
testSeveralRelays('the memory outbox', createOpener)
