import type { DeadLetterDetail, DeadLetterList } from '../../../core/operations.ts'
import { systemClock } from '../system-clock.ts'
import { toLimit } from './arguments.ts'
import { deadLettersOf, type OperatorFlags, operate } from './operator.ts'
import { age, facts, oneLine, shorten, table } from './table.ts'
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
  const advice = `Mend what the reason says, then "dead-letters replay ID" or "dead-letters replay --all" sends them back to the queue they
died in. "dead-letters show ID" has all of one, "dead-letters discard ID" gives up what can never be handled.`
  return [summary, '', table(head, rows), '', ...more, advice].join('\n')
}

/** `sluice dead-letters show ID`: what it says, in every queue it died in. */
export function showDeadLetter(id: string | undefined, flags: OperatorFlags): Promise<number> {
  const wanted = theOne(id, 'dead-letters show')
  return operate(deadLettersOf, flags, async ({ operations }) => {
    const letters = await operations.show(wanted)
    const nowMs = systemClock.now()
    console.log(
      flags.json ? JSON.stringify(letters, null, 2) : letters.map((each) => describeLetter(each, nowMs)).join('\n\n'),
    )
    return 0
  })
}

const MAX_DATA = 4_000

function describeLetter(letter: DeadLetterDetail, nowMs: number): string {
  const { firstFailureAtMs, attempts, headers, body, bytes } = letter
  const known = facts([
    ['id', letter.id],
    ['lies in', letter.deadLetterQueue],
    ['died in', letter.queue],
    ['reason', letter.reason],
    ['attempts', attempts === undefined ? undefined : String(attempts)],
    [
      'first failed',
      firstFailureAtMs === undefined
        ? undefined
        : `${new Date(firstFailureAtMs).toISOString()} (${age(firstFailureAtMs, nowMs)} ago)`,
    ],
    ['event', letter.type],
    ['subject', letter.subject],
    ['source', letter.source],
    ...Object.entries(headers).map(([name, value]) => [`header ${oneLine(name)}`, value] as const),
    ['bytes', String(bytes)],
  ])
  const text = oneLine(body)
  return `${known}\ndata  ${text.length > MAX_DATA ? `${text.slice(0, MAX_DATA)}… (--json shows the first 16 KiB)` : text}`
}

/** `sluice dead-letters discard ID`: one at a time, by its whole id. */
export function discardDeadLetter(id: string | undefined, flags: OperatorFlags): Promise<number> {
  const wanted = theOne(id, 'dead-letters discard')
  return operate(deadLettersOf, flags, async ({ operations }) => {
    const letters = await operations.discard(wanted)
    if (flags.json) console.log(JSON.stringify(letters, null, 2))
    else {
      for (const each of letters) {
        const what = [each.type, each.subject].filter(Boolean).join(' ')
        const named = `${each.id}${what === '' ? '' : ` (${what})`}`
        console.log(oneLine(`${named} is gone from ${each.deadLetterQueue}: ${each.queue} never handles it`))
      }
    }
    return 0
  })
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
