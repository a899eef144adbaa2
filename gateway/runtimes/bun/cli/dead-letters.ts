import type { DeadLetterList } from '../../../core/operations.ts'
import { systemClock } from '../system-clock.ts'
import { toLimit } from './arguments.ts'
import { deadLettersOf, type OperatorFlags, operate } from './operator.ts'
import { age, shorten, table } from './table.ts'
import { reportTally, theOne } from './wishes.ts'

/** `sluice dead-letters list`: what consumers have given up, why, and what to do about it. */
export function listDeadLetters({ limit, ...flags }: OperatorFlags & { readonly limit?: string }): Promise<number> {
  const most = toLimit(limit)
  return operate(deadLettersOf, flags, async ({ operations, from }) => {
    const list = await operations.list(most)
    console.log(flags.json ? JSON.stringify(list, null, 2) : describeList(list, from, systemClock.now()))
    return 0
  })
}

function describeList({ queues, letters }: DeadLetterList, from: string, nowMs: number): string {
  if (queues.length === 0)
    return `No exchange is declared or published to, so there is no queue of dead letters   (${from})`
  const held = queues.map(
    ({ name, messages }) => `${messages ?? 'no such queue:'} ${messages === undefined ? '' : 'in '}${name}`,
  )
  const summary = `${held.join(', ')}   (${from})`
  if (letters.length === 0) return `${summary}\nNo dead letters.`
  const rows = letters.map((letter) => [
    age(letter.firstFailureAtMs, nowMs),
    letter.id,
    letter.type ?? '-',
    shorten(letter.subject ?? '-'),
    letter.queue,
    letter.attempts === undefined ? '-' : String(letter.attempts),
    letter.reason ?? '',
  ])
  const head = ['FIRST FAILED', 'ID', 'EVENT', 'SUBJECT', 'DIED IN', 'ATTEMPTS', 'REASON']
  const all = queues.reduce((sum, { messages = 0 }) => sum + messages, 0)
  const more = letters.length < all ? [`${letters.length} of ${all} are shown: --limit shows more`] : []
  const advice =
    'Mend what the reason says, then "dead-letters replay ID" or "dead-letters replay --all" sends them back to the queue they died in.'
  return [summary, '', table(head, rows), '', ...more, advice].join('\n')
}

/** `sluice dead-letters replay ID | --all`. */
export function replayDeadLetters(
  id: string | undefined,
  { all, ...flags }: OperatorFlags & { readonly all?: boolean },
): Promise<number> {
  const wanted = all && id === undefined ? undefined : theOne(all ? undefined : id, 'dead-letters replay', '--all')
  return operate(deadLettersOf, flags, async ({ operations }) => {
    const tally = wanted === undefined ? await operations.replayAll() : await operations.replay(wanted)
    return reportTally(tally, flags, 'sent back to the queue they died in')
  })
}
