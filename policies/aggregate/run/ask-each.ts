import type { Head } from '../answer/cache-control.ts'
import { PartFailure } from '../failure.ts'
import type { Received, Shown } from '../outcome.ts'
import type { ForEach } from '../plan/for-each.ts'
import type { Part } from '../plan/part.ts'
import { quoted } from '../reply/invalid.ts'
import { entriesByKey } from '../reply/join.ts'
import { joinElements } from '../reply/slices.ts'
import { type Asked, type Asking, ask } from './ask.ts'
import { Decided } from './decided.ts'
import { callsFor, type ItemCall, readList } from './items.ts'
import type { Limits } from './limits.ts'
import type { Round } from './round.ts'

/** A list of replies in the order of the items, with how many are stand-ins and why the first is; or why there is none. */
export type AskedEach =
  | {
      readonly list: Received & { readonly body: readonly unknown[] }
      readonly missed: number
      readonly failure: PartFailure | undefined
    }
  | { readonly failure: PartFailure }

export interface AskEach {
  readonly limits: Limits
  readonly round: Round
  readonly done: (asked: AskedEach) => void
}

/** Asks for a part once for each item of its list, some at once; the first item that nothing stands in for ends it. */
export function askEach(part: Part, each: ForEach, asking: AskEach): void {
  const items = readList(each, asking.round.scope)
  if (items instanceof PartFailure) asking.done({ failure: items })
  else askForItems(part, each, items, asking)
}

function askForItems(part: Part, each: ForEach, items: readonly unknown[], asking: AskEach): void {
  const worded = callsFor(part, each, items, asking.round.scope)
  if (worded instanceof PartFailure) {
    asking.done({ failure: worded })
    return
  }
  const { calls, unasked } = worded
  const gathering = new Gathering(part, each, items.length, asking)
  for (const [position, failure] of unasked) gathering.miss(position, { failure })
  gathering.start(calls)
}

/** Why an item has no reply, and an old one that may stand in. */
interface Missed {
  readonly failure: PartFailure
  readonly stale?: { readonly reply: Shown } | undefined
}

class Gathering {
  readonly #part: Part
  readonly #each: ForEach
  readonly #asking: AskEach
  readonly #shown: (Shown | undefined)[]
  readonly #failures = new Map<number, PartFailure>()
  #calls: readonly ItemCall[] = []
  #next = 0
  #running = 0
  #isStarting = false
  readonly #heads: Head[] = []
  #bytes = 0
  #isOver = false

  constructor(part: Part, each: ForEach, size: number, asking: AskEach) {
    this.#part = part
    this.#each = each
    this.#asking = asking
    this.#shown = Array.from({ length: size }, () => undefined)
  }

  start(calls: readonly ItemCall[]): void {
    this.#calls = calls
    this.#goOn()
  }

  /** An item has no reply: an old one or the fallback of items stands in, else the whole part has failed. */
  miss(position: number, { failure, stale }: Missed): void {
    const standIn = stale?.reply ?? this.#each.fallback
    if (!standIn || failure.reason === 'cancelled') this.#fail(failure)
    else {
      this.#failures.set(position, failure)
      this.#put(position, standIn)
    }
  }

  #goOn(): void {
    // A remembered reply is there at once: its `take` must not start what this loop is about to start.
    if (this.#isStarting) return
    this.#isStarting = true
    while (!this.#isOver && this.#running < this.#each.concurrency) {
      const call = this.#calls[this.#next++]
      if (!call) break
      this.#running++
      ask(this.#part, call.request, new ItemAsking(this, call, this.#asking))
    }
    this.#isStarting = false
    if (!this.#isOver && this.#running === 0) this.#finish()
  }

  take(call: ItemCall, asked: Asked): void {
    this.#running--
    if (this.#isOver) return
    if ('reply' in asked) this.#heads.push({ headers: asked.reply.headers, ageMs: asked.ageMs })
    this.#share(call, asked)
    this.#goOn()
  }

  #share({ positions, keys }: ItemCall, asked: Asked): void {
    if (!keys) {
      for (const position of positions) {
        if ('failure' in asked) this.miss(position, asked)
        else this.#put(position, asked.reply)
      }
      return
    }
    const reply = 'failure' in asked ? asked.stale?.reply : asked.reply
    const entries = reply && this.#each.batch && entriesByKey(reply, [...keys.values()], this.#each.batch)
    for (const [position, key] of keys) {
      const entry = entries?.get(String(key))
      if ('failure' in asked) this.miss(position, { failure: asked.failure, stale: entry && { reply: entry } })
      else if (entry) this.#put(position, entry)
      else this.miss(position, { failure: lacking(key) })
    }
  }

  #put(position: number, shown: Shown): void {
    const { maxBytes } = this.#part.call
    this.#bytes += shown.json.byteLength
    if (this.#bytes > maxBytes) {
      this.#fail(new PartFailure('too-large', { cause: `the replies have more than ${maxBytes} bytes together` }))
    } else this.#shown[position] = shown
  }

  #fail(failure: PartFailure): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#asking.limits.abort(new Decided())
    this.#asking.done({ failure })
  }

  #finish(): void {
    this.#isOver = true
    const shown = this.#shown.flatMap((each) => each ?? [])
    const [first] = [...this.#failures.keys()].sort((a, b) => a - b)
    this.#asking.done({
      list: {
        json: joinElements(shown.map(({ json }) => json)),
        body: shown.map(({ body }) => body),
        heads: this.#heads,
      },
      missed: this.#failures.size,
      failure: first === undefined ? undefined : this.#failures.get(first),
    })
  }
}

/** One of the calls. */
class ItemAsking implements Asking {
  readonly limits: Limits
  readonly round: Round
  readonly #gathering: Gathering
  readonly #call: ItemCall

  constructor(gathering: Gathering, call: ItemCall, { limits, round }: AskEach) {
    this.limits = limits
    this.round = round
    this.#gathering = gathering
    this.#call = call
  }

  done(asked: Asked): void {
    this.#gathering.take(this.#call, asked)
  }
}

function lacking(key: string | number): PartFailure {
  return new PartFailure('invalid-response', { cause: `the reply has nothing for ${quoted(String(key))}` })
}
