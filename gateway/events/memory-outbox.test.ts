import { testOutbox } from '../../tests/support/outbox-conformance.ts'
import { createMemoryOutbox } from './memory-outbox.ts'

testOutbox('The memory outbox', (capacity) => createMemoryOutbox(capacity === undefined ? {} : { capacity }))
