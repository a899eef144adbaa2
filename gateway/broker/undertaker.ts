import type { Clock } from '../core/clock.ts'
import { type DeathReason, deathsIn, isEndlessCircle, MOST_DEATHS, toDeadLetter } from './dead-letter.ts'
import type { Entry, Message } from './message.ts'
import type { Queue } from './queue.ts'
import { deadLettersAtLeastOnce } from './queue-settings.ts'

/** A message that died and what has to become of it. */
interface Death {
  readonly queue: Queue
  readonly entry: Entry
  readonly reason: DeathReason
}

export interface UndertakerOptions {
  readonly clock: Clock
  /** The queues a message goes to. */
  readonly route: (message: Message) => Queue[]
}

/** How long a dead letter that found no place waits for the next attempt. */
const TRY_AGAIN_MS = 1_000

/**
 * Moves dead messages to where their queue sends its dead letters. A message leaves its queue in the same turn in which
 * its dead letter enters others, so that both are written together.
 */
export class Undertaker {
  readonly #clock: Clock
  readonly #route: (message: Message) => Queue[]
  readonly #due: Death[] = []
  #held: Death[] = []
  #cancelAgain = () => {}
  #isBusy = false

  constructor({ clock, route }: UndertakerOptions) {
    this.#clock = clock
    this.#route = route
  }

  /** Dead letters are moved one after the other, never from within each other, so that a long chain costs no stack. */
  bury(queue: Queue, entry: Entry, reason: DeathReason): void {
    this.#due.push({ queue, entry, reason })
    if (this.#isBusy) return
    this.#isBusy = true
    try {
      for (let next = this.#due.shift(); next !== undefined; next = this.#due.shift()) {
        if (this.#move(next)) next.queue.forget(next.entry)
        else this.#hold(next)
      }
    } finally {
      this.#isBusy = false
    }
  }

  /** Forgets what waits: the next broker finds it in its queue. */
  end(): void {
    this.#cancelAgain()
  }

  /** Returns whether the message is done with: moved, or nobody is to have it. A dead letter is not stopped by limits on room. */
  #move({ queue, entry, reason }: Death): boolean {
    const { settings } = queue.declaration
    const exchange = settings['x-dead-letter-exchange']
    if (exchange === undefined) return true
    const message = readable(queue, entry)
    if (message === undefined) return false
    const address = { exchange, routingKey: settings['x-dead-letter-routing-key'] ?? message.routingKey }
    const letter = toDeadLetter(message, { queue: queue.name, reason, at: this.#clock.now() }, address)
    const deaths = deathsIn(letter)
    if (deaths.length > MOST_DEATHS) return true
    const routed = this.#route(letter)
    const targets = routed.filter(({ name }) => reason === 'rejected' || !isEndlessCircle(name, deaths))
    const mustArrive = deadLettersAtLeastOnce(settings)
    if (mustArrive && (routed.length === 0 || !targets.every((target) => target.accepts))) return false
    for (const target of targets) target.enqueue(letter)
    return true
  }

  #hold(death: Death): void {
    death.queue.heldCount += 1
    this.#held.push(death)
    if (this.#held.length === 1) this.#cancelAgain = this.#clock.after(TRY_AGAIN_MS, () => this.#tryHeld())
  }

  #tryHeld(): void {
    const held = this.#held
    this.#held = []
    const stuck = new Set<Queue>()
    for (const death of held) {
      const { queue, entry, reason } = death
      queue.heldCount -= 1
      if (queue.isDeleted) queue.forget(entry)
      // What stopped one letter of a queue stops those behind it, too: no need to try thousands.
      else if (stuck.has(queue)) this.#hold(death)
      else {
        const before = this.#held.length
        this.bury(queue, entry, reason)
        if (this.#held.length > before) stuck.add(queue)
      }
    }
  }
}

/** A disk that cannot be read now is no reason to lose a message, or the process: the dead letter waits. */
function readable(queue: Queue, entry: Entry): Message | undefined {
  try {
    return queue.messageOf(entry)
  } catch {
    return undefined
  }
}
