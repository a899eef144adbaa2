import type { Clock } from '../../../gateway/core/clock.ts'
import { GatewayError } from '../../../gateway/core/errors.ts'
import type { Exchange } from '../../../gateway/core/exchange.ts'
import { extendScope } from '../../../gateway/core/scope.ts'
import { inputFailure, PartFailure } from '../failure.ts'
import type { Failed, Outcome } from '../outcome.ts'
import type { Part } from '../plan/part.ts'
import { callPart } from './call.ts'

/** Every part's outcome, in the order of the parts. */
export interface Composition {
  readonly outcomes: readonly Outcome[]
  /** The required part whose failure ended the composition. */
  readonly decider: Failed | undefined
}

/** Why calls are cancelled that nobody needs any more; says nothing about their upstreams. */
class Decided extends Error {
  override readonly name = 'Decided'

  constructor() {
    super('A required part has failed')
  }
}

/**
 * Asks for all parts, each as soon as the parts it reads are there. Ends when all are settled: by a reply, a failure,
 * the end of `totalMs`, or the failure of a required part, which cancels the rest. Rejects with the reason of
 * `exchange.signal` when that aborts.
 */
export async function compose(
  parts: readonly Part[],
  exchange: Exchange,
  { clock, totalMs }: { readonly clock: Clock; readonly totalMs: number },
): Promise<Composition> {
  const stop = new AbortController()
  const whole = AbortSignal.any([exchange.signal, stop.signal])
  const byName = new Map(parts.map((part) => [part.name, part]))
  const running = new Map<string, Promise<Outcome>>()
  const values: Record<string, unknown> = {}
  const scope = extendScope(exchange.scope, { parts: values })
  let decider: Failed | undefined

  /** Inputs start before the part that waits for them; the graph has no cycles. */
  function start(part: Part): Promise<Outcome> {
    const started = running.get(part.name) ?? run(part)
    running.set(part.name, started)
    return started
  }

  async function run(part: Part): Promise<Outcome> {
    const outcome = await settle(part)
    if (outcome.kind === 'failed' && part.required) {
      decider ??= outcome
      stop.abort(new Decided())
    }
    values[part.name] = toValue(outcome)
    return outcome
  }

  async function settle(part: Part): Promise<Outcome> {
    const { name, fallback } = part
    try {
      if (part.inputs.length > 0) await Promise.all(part.inputs.map(awaitInput))
      const startedAt = clock.now()
      const reply = await callPart(part, exchange, scope, { whole, clock })
      return { kind: 'ok', part: name, reply, durationMs: clock.now() - startedAt }
    } catch (error) {
      if (!(error instanceof PartFailure)) throw error
      const isReplaced = fallback !== undefined && error.reason !== 'cancelled'
      return isReplaced
        ? { kind: 'fallback', part: name, fallback, failure: error }
        : { kind: 'failed', part: name, failure: error }
    }
  }

  async function awaitInput(name: string): Promise<void> {
    const part = byName.get(name)
    if (!part) throw new TypeError(`Unknown part ${name}`)
    const outcome = await start(part)
    if (outcome.kind !== 'failed') return
    throw outcome.failure.reason === 'cancelled' ? outcome.failure : inputFailure(name, outcome.failure)
  }

  const cancelTotal = Number.isFinite(totalMs)
    ? clock.after(totalMs, () => stop.abort(new GatewayError('upstream-timeout')))
    : () => {}
  try {
    const outcomes = await Promise.all(parts.map(start))
    exchange.signal.throwIfAborted()
    return { outcomes, decider }
  } catch (error) {
    // Only after a mistake of ours are calls still running here.
    stop.abort(new Decided())
    throw error
  } finally {
    cancelTotal()
  }
}

/** What templates read as `parts.<name>`; a fallback has a body only. */
function toValue(outcome: Outcome): unknown {
  if (outcome.kind === 'failed') return undefined
  if (outcome.kind === 'fallback') return { body: outcome.fallback.value }
  const { status, body, headers } = outcome.reply
  return {
    body,
    status,
    get headers() {
      return Object.fromEntries(headers)
    },
  }
}
