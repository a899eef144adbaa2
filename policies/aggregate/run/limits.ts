import { GatewayError } from '../../../gateway/core/errors.ts'
import type { Stop } from '../../../gateway/core/stop.ts'
import { type PartFailure, toPartFailure } from '../failure.ts'
import type { Part } from '../plan/part.ts'
import type { Round } from './round.ts'

/** When the calls of a part give up. */
export interface Limits {
  readonly stop: Stop
  /** A call of the part begins: its time runs from the first one. */
  begin(): void
  /** Gives up the calls of this part alone; only where a part makes several. */
  abort(reason: Error): void
  /** The part is settled. */
  release(): void
}

/** Those of calls that nothing but `stop` ends. */
export function untimed(stop: Stop): Limits {
  return { stop, begin: nothing, abort: nothing, release: nothing }
}

function nothing(): void {}

/** Those of a part. Calls that nothing but the whole composition can end need no `Stop` of their own. */
export function limitsOf({ timeoutMs, forEach }: Part, round: Round): Limits {
  return timeoutMs === undefined && !forEach ? round.untimed : new OwnLimits(timeoutMs, round)
}

class OwnLimits implements Limits {
  readonly stop: Stop
  readonly #timeoutMs: number | undefined
  readonly #round: Round
  #cancel: (() => void) | undefined

  constructor(timeoutMs: number | undefined, round: Round) {
    this.stop = round.stop.within()
    this.#timeoutMs = timeoutMs
    this.#round = round
  }

  begin(): void {
    if (this.#timeoutMs === undefined) return
    this.#cancel ??= this.#round.clock.after(this.#timeoutMs, () => this.abort(new GatewayError('upstream-timeout')))
  }

  /** The places its calls give back are taken once all have: by then the part is settled, and what waited for it competes. */
  abort(reason: Error): void {
    const { queue } = this.#round
    this.#round.hasGivenUp = true
    queue.hold()
    this.stop.abort(reason)
    queue.release()
  }

  release(): void {
    this.#cancel?.()
    this.#round.stop.forget(this.stop)
  }
}

/** Why a part whose time is up, or that nobody needs any more, has no reply; undefined when it may still ask. */
export function givenUp({ stop }: Limits): PartFailure | undefined {
  return stop.reason === undefined ? undefined : toPartFailure(stop.reason, stop)
}
