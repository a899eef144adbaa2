import { testSagaStorage } from '../../tests/support/saga-conformance.ts'
import { createMemorySagas } from './memory-sagas.ts'

testSagaStorage(() => createMemorySagas({ capacity: 5, now: () => 1_000 }))
