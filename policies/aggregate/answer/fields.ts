import type { Exchange } from '../../../gateway/core/exchange.ts'
import { principal } from '../../../gateway/core/keys.ts'
import type { AggregateOptions } from '../options.ts'
import type { Outcome } from '../outcome.ts'
import { readingsOf, referencesIn } from '../plan/readings.ts'
import { Caching } from './cache-control.ts'

/** Sets fields of an answer from those of the replies it is composed of. */
export interface ReplyFields {
  /** Those that the parts declare; true when a cookie is among them. */
  pass(headers: Headers, outcomes: readonly Outcome[]): boolean
  /** Who may keep a complete answer and how long, which it gives back, and what it varies with. */
  limitCaching(headers: Headers, outcomes: readonly Outcome[], asking: Asking): string
}

interface Asking {
  readonly exchange: Exchange
  readonly setsCookie: boolean
}

/** Compiles what the parts declare, and whose the answer is by what they read. */
export function compileFields({ parts, body, stream }: AggregateOptions): ReplyFields {
  const all = Object.values(parts)
  const read = [...all.flatMap(readingsOf), ...referencesIn(body, [])].map(({ reference }) => reference)
  const readsCaller = read.some(({ root }) => root === 'claims' || root === 'client')
  const chosenBy = new Set(
    read.flatMap(({ root, path: [name = ''] }) => {
      if (root === 'cookies') return ['cookie']
      return root === 'headers' ? [name.toLowerCase()] : []
    }),
  )
  const chosenFor = chosenBy.size > 0 ? 'alike' : 'anyone'
  const ownVary = [...(stream ? ['accept'] : []), ...chosenBy]
  const passing = all.flatMap(({ 'response-headers': names = [] }, index) =>
    names.length > 0 ? [{ index, names }] : [],
  )

  return {
    pass(headers, outcomes) {
      let setsCookie = false
      for (const { index, names } of passing) {
        const outcome = outcomes[index]
        if (outcome?.kind !== 'ok' || !outcome.reply.headers) continue
        for (const name of names) {
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
      const caching = cachingOf(outcomes)
      const isCallers = setsCookie || readsCaller || exchange.get(principal) !== undefined
      const control = caching.control(isCallers ? 'caller' : chosenFor)
      headers.set('cache-control', control)
      const vary = caching.vary ? [...new Set([...ownVary, ...caching.vary])] : ownVary
      if (vary.length > 0) headers.set('vary', vary.includes('*') ? '*' : vary.join(', '))
      return control
    },
  }
}

/** A list has the fields of every reply in it. */
function cachingOf(outcomes: readonly Outcome[]): Caching {
  const caching = new Caching()
  for (const outcome of outcomes) {
    if (outcome.kind !== 'ok') continue
    const { reply, ageMs } = outcome
    if (reply.headers) caching.add(reply.headers, ageMs)
    else if (reply.heads) for (const head of reply.heads) caching.add(head.headers, head.ageMs)
  }
  return caching
}
