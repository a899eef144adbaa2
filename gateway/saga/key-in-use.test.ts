import { expect, test } from 'bun:test'
import { keyInUse } from './key-in-use.ts'
import { type SagaHolder, SagaInUseError } from './saga-storage.ts'

interface Row {
  readonly name: string
  readonly holder?: SagaHolder
  readonly detail: string
  readonly retryAfter?: string
}

const rows: readonly Row[] = [
  { name: 'is running', holder: { id: '1', state: 'open' }, detail: 'is still running', retryAfter: '1' },
  { name: 'is being undone', holder: { id: '1', state: 'undoing' }, detail: 'are still being undone', retryAfter: '1' },
  {
    name: 'is tried again in 3.2 s',
    holder: { id: '1', state: 'undoing', nextAtMs: 13_200 },
    detail: 'are still being undone',
    retryAfter: '4',
  },
  {
    name: 'was to be tried before',
    holder: { id: '1', state: 'undoing', nextAtMs: 9_000 },
    detail: 'are still being undone',
    retryAfter: '1',
  },
  {
    name: 'waits for an operator',
    holder: { id: '1', state: 'parked', nextAtMs: 12_000 },
    detail: 'could not be undone',
  },
  { name: 'was there in between', detail: 'came in between', retryAfter: '1' },
]

test.each(rows)('a client learns of a request with its key that $name', ({ holder, detail, retryAfter }) => {
  const error = keyInUse(new SagaInUseError(holder), 10_000)
  expect(error).toMatchObject({ code: 'idempotency-key-in-use', detail: expect.stringContaining(detail) })
  expect(error.headers['retry-after']).toBe(retryAfter)
})
