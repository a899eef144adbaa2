import { collect } from '../core/body.ts'
import type { Clock } from '../core/clock.ts'
import { GatewayError } from '../core/errors.ts'
import { buildEvent, readsBody, templatesOf } from '../core/event-recipe.ts'
import type { CloudEvent, Settlement } from '../core/events.ts'
import { type AskUpstream, UnknownUpstream } from '../core/own-request.ts'
import { parseReply, replyTooLarge, UnreadableReply } from '../core/reply-body.ts'
import { unlessAborted } from '../core/unless-aborted.ts'
import type { OutboxEntry } from './outbox.ts'
import { judgeAnswer, needsText, retryAfterMs, type Verdict } from './settle-verdict.ts'

/** A verdict, and the event of an accepted request. `isUpstreamAway` means that others need not be asked either now. */
export type Finding =
  | { readonly kind: 'accepted'; readonly event: CloudEvent }
  | Exclude<Verdict, { kind: 'accepted' | 'again' }>
  | (Extract<Verdict, { kind: 'again' }> & { readonly isUpstreamAway: boolean })

export interface AttemptParts {
  readonly ask: AskUpstream
  readonly clock: Clock
}

/** An entry that can be settled. */
export interface Unsettled {
  readonly entry: OutboxEntry
  readonly settlement: Settlement
}

const ATTEMPT_MS = 30_000
const TEXT_BYTES = 16_384

const AWAY: ReadonlySet<string> = new Set(['circuit-open', 'overloaded', 'upstream-unreachable', 'upstream-timeout'])

/**
 * Asks once what became of a request, and builds its event if it was accepted. Rejects only with the reason of `stop`,
 * when that aborts.
 */
export async function attemptToSettle(
  { entry, settlement }: Unsettled,
  stop: AbortSignal,
  { ask, clock }: AttemptParts,
): Promise<Finding> {
  const late = new AbortController()
  const cancel = clock.after(ATTEMPT_MS, () => late.abort(new GatewayError('upstream-timeout')))
  const signal = AbortSignal.any([stop, late.signal])
  const { request, upstream } = settlement
  const { route, traceparent } = entry.draft
  try {
    const deadlineMs = clock.now() + ATTEMPT_MS
    const asking = ask(upstream, { ...request, route, traceparent, deadlineMs, signal })
    const response = await unlessAborted(signal, asking)
    return await unlessAborted(signal, find({ entry, settlement }, response, { clock, signal }))
  } catch (error) {
    stop.throwIfAborted()
    return findingOfFailure(error)
  } finally {
    cancel()
    // `stop` lives as long as the gateway, and with it whoever still listens to a signal made of it.
    late.abort()
  }
}

async function find(
  { entry, settlement }: Unsettled,
  response: Response,
  { clock, signal }: { readonly clock: Clock; readonly signal: AbortSignal },
): Promise<Finding> {
  const { mode, recipe } = settlement
  const { status, headers } = response
  const text = needsText(mode, status) ? await beginningOf(response, signal) : ''
  const verdict = judgeAnswer(mode, { status, headers, text })
  if (verdict.kind !== 'accepted') {
    if (!response.bodyUsed) response.body?.cancel().catch(() => {})
    return verdict.kind === 'again' ? { ...verdict, isUpstreamAway: status >= 500 || status === 429 } : verdict
  }
  const { maxBody } = recipe
  try {
    const body = readsBody(templatesOf(recipe)) ? await readJson(response, maxBody, signal) : undefined
    if (!response.bodyUsed) response.body?.cancel().catch(() => {})
    const facts = { id: entry.id, nowMs: clock.now(), traceparent: entry.draft.traceparent }
    return { kind: 'accepted', event: await buildEvent(recipe, { response, body }, facts) }
  } catch (error) {
    if (!(error instanceof UnreadableReply)) throw error
    return {
      kind: 'hopeless',
      reason: `the upstream answered ${status}, but no event can be made of it: ${error.message}`,
    }
  }
}

async function readJson(response: Response, maxBytes: number, signal: AbortSignal): Promise<unknown> {
  const bytes = await collect(response.body, maxBytes, replyTooLarge, signal).catch((error: unknown) => {
    throw error instanceof UnreadableReply ? error : new GatewayError('upstream-invalid-response', { cause: error })
  })
  return parseReply(bytes, response.headers, maxBytes)
}

/** What is longer than a page is no problem document. */
async function beginningOf(response: Response, signal: AbortSignal): Promise<string> {
  try {
    return new TextDecoder().decode(await collect(response.body, TEXT_BYTES, replyTooLarge, signal))
  } catch (error) {
    if (error instanceof UnreadableReply) return ''
    throw error
  }
}

function findingOfFailure(error: unknown): Finding {
  if (error instanceof UnknownUpstream) return { kind: 'hopeless', reason: error.message }
  if (!(error instanceof GatewayError)) return { kind: 'again', reason: String(error), isUpstreamAway: false }
  const afterMs = retryAfterMs(new Headers(error.headers))
  const after = afterMs === undefined ? {} : { afterMs }
  return { kind: 'again', reason: error.code, ...after, isUpstreamAway: AWAY.has(error.code) }
}
