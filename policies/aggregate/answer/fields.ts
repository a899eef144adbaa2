import type { Exchange } from '../../../gateway/core/exchange.ts'
import { principal } from '../../../gateway/core/keys.ts'
import type { AggregateOptions } from '../options.ts'
import type { Outcome } from '../outcome.ts'
import { readingsOf, referencesIn } from '../plan/readings.ts'
import { type Head, strictestCaching } from './cache-control.ts'

/** Sets fields of an answer from those of the replies it is composed of. */
export interface ReplyFields {
  /** Those that the parts declare; true when a cookie is among them. */
  pass(headers: Headers, outcomes: readonly Outcome[]): boolean
  /** Who may keep a complete answer and how long, and what it varies with. */
  limitCaching(headers: Headers, outcomes: readonly Outcome[], asking: Asking): void
}

interface Asking {
  readonly exchange: Exchange
  readonly setsCookie: boolean
}

/** Compiles what the parts declare, and whose the answer is by what they read. */
export function compileFields({ parts, body, stream }: AggregateOptions): ReplyFields {
  const all = Object.values(parts)
  const declared = all.map((part) => part['response-headers'] ?? [])
  const read = [...all.flatMap(readingsOf), ...referencesIn(body, [])].map(({ reference }) => reference)
  const readsCaller = read.some(({ root }) => root === 'claims' || root === 'client')
  const chosenBy = new Set(
    read.flatMap(({ root, path: [name = ''] }) => {
      if (root === 'cookies') return ['cookie']
      return root === 'headers' ? [name.toLowerCase()] : []
    }),
  )

  return {
    pass(headers, outcomes) {
      let setsCookie = false
      for (const [index, outcome] of outcomes.entries()) {
        if (outcome.kind !== 'ok' || !outcome.reply.headers) continue
        for (const name of declared[index] ?? []) {
          if (name !== 'set-cookie') {
            const value = outcome.reply.headers.get(name)
            if (value !== null) headers.set(name, value)
          } else if (outcome.ageMs === undefined) {
            for (const cookie of outcome.reply.headers.getSetCookie()) headers.append(name, cookie)
            setsCookie ||= outcome.reply.headers.has(name)
          }
        }
      }
      return setsCookie
    },

    limitCaching(headers, outcomes, { exchange, setsCookie }) {
      const heads = outcomes.flatMap(headsOf)
      const isCallers = setsCookie || readsCaller || exchange.get(principal) !== undefined
      const whose = isCallers ? 'caller' : chosenBy.size > 0 ? 'alike' : 'anyone'
      headers.set('cache-control', strictestCaching(heads, whose))
      const vary = new Set([
        ...(stream ? ['accept'] : []),
        ...chosenBy,
        ...heads.flatMap((head) => namesIn(head.headers.get('vary'))),
      ])
      if (vary.size > 0) headers.set('vary', vary.has('*') ? '*' : [...vary].join(', '))
    },
  }
}

/** A list has the fields of every reply in it. */
function headsOf(outcome: Outcome): readonly Head[] {
  if (outcome.kind !== 'ok') return []
  const { reply, ageMs } = outcome
  return reply.headers ? [{ headers: reply.headers, ageMs }] : (reply.heads ?? [])
}

/** Calls ask for `identity`, so a reply that varies with the coding does not vary here. */
function namesIn(vary: string | null): string[] {
  if (vary === null) return []
  return vary
    .toLowerCase()
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '' && name !== 'accept-encoding')
}
