import { describe, expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { compileEventSchema } from '../../gateway/config/event-schemas.ts'
import { UnknownUpstream } from '../../gateway/core/own-request.ts'
import { toAmqpMessage } from '../../gateway/events/cloud-event.ts'
import { whyReturned } from '../../gateway/events/delivery.ts'
import type { Unsettled } from '../../gateway/events/settle-attempt.ts'
import { tooLate } from '../../gateway/events/settle-bound.ts'
import { judgeAnswer } from '../../gateway/events/settle-verdict.ts'
import { DRAFT, orderPlaced } from '../support/outbox-conformance.ts'

/** The runbook's table of reasons begins its rows with the very words that the program writes. */

const page = readFileSync(join(import.meta.dir, '../../docs/operating.md'), 'utf8')
const [, section = ''] = page.split('\n### SluiceEventParked\n')
const rows = (section.split('\n### ')[0] ?? '').split('\n').filter((line) => line.startsWith('| `'))
/** What stands in the first column, each up to its dots. */
const beginnings = rows.flatMap((row) =>
  [...(row.split(' | ')[0] ?? '').matchAll(/`([^`]+?)\s*…`/g)].map(([, words = '']) => words),
)

const ADDRESS = { exchange: 'shop.events', routingKey: 'order.placed' }

function unsettled(attempts: number): Unsettled {
  const entry = { id: 'a', state: 'unknown', draft: DRAFT, intendedAtMs: 0, attempts, reason: 'status 503' } as const
  const recipe = { type: 't', source: 's', exchange: 'e', routingKey: 'k', data: '', values: {}, maxBody: 1 }
  const request = { method: 'POST', path: '/', headers: [] }
  return { entry, settlement: { mode: 'replay', upstream: 'orders', request, withinMs: 600_000, recipe } }
}

function refusalOf(work: () => unknown): string {
  try {
    work()
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
  throw new Error('nothing was refused')
}

function hopeless(): string {
  const answer = { status: 422, headers: new Headers(), text: 'Idempotency-Key reused' }
  const verdict = judgeAnswer('replay', answer)
  return verdict.kind === 'hopeless' ? verdict.reason : verdict.kind
}

const reasons = [
  { name: 'no queue', reason: whyReturned(ADDRESS) },
  {
    name: 'data against its schema',
    reason: compileEventSchema('{"type":"object"}', 'events/a.schema.json').misfit('text') ?? '',
  },
  { name: 'data that is no JSON', reason: refusalOf(() => toAmqpMessage({ ...orderPlaced('a'), data: 1n }, ADDRESS)) },
  {
    name: 'an id that is too long',
    reason: refusalOf(() => toAmqpMessage({ ...orderPlaced('a'), id: 'x'.repeat(300) }, ADDRESS)),
  },
  { name: 'no answer in time', reason: tooLate(unsettled(3), 700_000) },
  { name: 'no time to ask', reason: tooLate(unsettled(0), 700_000) },
  { name: 'an upstream that is left alone', reason: tooLate(unsettled(3), 400_000) },
  { name: 'a key that is known with another request', reason: hopeless() },
  { name: 'an upstream that is gone', reason: new UnknownUpstream('orders').message },
]

describe('the table under SluiceEventParked', () => {
  test.each(reasons)('has a row for $name', ({ reason }) => {
    expect(beginnings.filter((words) => reason.startsWith(words))).toHaveLength(1)
  })

  test('has no row for words that nothing writes', () => {
    for (const words of beginnings) {
      expect(reasons.map(({ reason }) => reason.slice(0, words.length))).toContain(words)
    }
  })
})
