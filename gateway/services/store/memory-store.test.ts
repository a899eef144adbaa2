import { testBoundedStore, testStore } from '../../../tests/support/store-conformance.ts'
import { createVirtualClock } from '../../../tests/support/virtual-clock.ts'
import { createMemoryStore } from './memory-store.ts'

testStore('memory', async () => {
  const clock = createVirtualClock()
  return { store: createMemoryStore({ clock }), advance: (ms) => clock.advance(ms) }
})

testBoundedStore('memory', async ({ entries, bytes }) => {
  const clock = createVirtualClock()
  const store = createMemoryStore({ clock, maximumEntries: entries, maximumBytes: bytes })
  return { store, advance: (ms) => clock.advance(ms) }
})
