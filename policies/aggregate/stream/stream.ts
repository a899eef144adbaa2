import type { Clock } from '../../../gateway/core/clock.ts'
import { ClientGone, GatewayError, toProblem } from '../../../gateway/core/errors.ts'
import type { Exchange } from '../../../gateway/core/exchange.ts'
import { withoutAnyReply } from '../answer/answer.ts'
import { refusal } from '../answer/refusal.ts'
import { type Outcome, textOf } from '../outcome.ts'
import type { Composition } from '../run/plan.ts'
import { EVENTS, LAST_EVENT_ID, LINES } from './framing.ts'
import { lastLine, partLine } from './lines.ts'
import { Pipe } from './pipe.ts'

export interface Streaming {
  readonly form: 'lines' | 'events'
  readonly clock: Clock
  /** Parts that are not sent. */
  readonly hidden: ReadonlySet<string>
  /** Asks for the parts on behalf of an exchange, and tells of each as it is known. */
  compose(exchange: Exchange, settled: (outcome: Outcome) => void): Promise<Composition>
  /** Told once how a stream that had begun has ended. */
  ended(end: StreamEnd): void
}

/** What was composed, or why nothing was. */
export type StreamEnd =
  | { readonly composition: Composition; readonly error?: undefined }
  | { readonly error: unknown; readonly composition?: undefined }

/**
 * Sends each part as it is known, from the first on that has something to show, then a line about all of them. What is
 * decided before that is answered as ever: throws `GatewayError` when there is nothing to give. Everything is given up
 * when the client leaves.
 */
export async function stream(exchange: Exchange, streaming: Streaming): Promise<Response> {
  const { form, hidden, clock } = streaming
  const framing = form === 'lines' ? LINES : EVENTS
  if (form === 'events' && exchange.request.headers.get('last-event-id') === LAST_EVENT_ID) return nothingMore()
  const left = new AbortController()
  const pipe = new Pipe({ clock, sign: framing.sign, left: () => left.abort(new ClientGone()) })
  const begun = Promise.withResolvers<true>()
  let count = 0
  const watched = Object.assign(Object.create(exchange), { signal: AbortSignal.any([exchange.signal, left.signal]) })
  const composing = streaming.compose(watched as Exchange, (outcome) => {
    if (hidden.has(outcome.part)) return
    pipe.put(framing.part(partLine(outcome), ++count))
    if (textOf(outcome) !== undefined) begun.resolve(true)
  })
  const isBegun = await Promise.race([begun.promise, composing.then(() => false)])
  if (!isBegun) {
    const { outcomes, decider } = await composing
    const decisive = decider ?? withoutAnyReply(outcomes)
    if (decisive) throw refusal(decisive, outcomes)
  }
  composing.then(
    async (composition) => {
      pipe.put(framing.end(await toLastLine(composition, exchange.id)))
      pipe.close()
      streaming.ended({ composition })
    },
    async (error: unknown) => {
      if (!(error instanceof ClientGone)) pipe.put(framing.end(lastLine([], await problemOf(error, exchange.id))))
      pipe.close()
      streaming.ended({ error })
    },
  )
  return new Response(pipe.stream, {
    headers: {
      'content-type': framing.contentType,
      'cache-control': 'no-store',
      vary: 'accept',
      // Proxies in front of the gateway would wait for the whole.
      'x-accel-buffering': 'no',
    },
  })
}

/** To a client of server-sent events that has everything: asking again would ask every part again. */
function nothingMore(): Response {
  return new Response(null, { status: 204, headers: { vary: 'accept' } })
}

async function toLastLine({ outcomes, decider }: Composition, id: string): Promise<Uint8Array<ArrayBuffer>> {
  const decisive = decider ?? withoutAnyReply(outcomes)
  return lastLine(outcomes, decisive && (await problemOf(refusal(decisive, outcomes), id)))
}

/** The problem that would have been the answer, without the list of parts, which stands beside it. */
async function problemOf(error: unknown, id: string): Promise<object> {
  const told = error instanceof GatewayError ? error : new GatewayError('internal-error', { cause: error })
  const { parts: _, ...problem } = (await toProblem(told, id).json()) as Record<string, unknown>
  return problem
}
