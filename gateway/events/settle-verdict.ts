import type { Settlement } from '../core/events.ts'

/** What an answer says about a request whose outcome was unknown. */
export type Verdict =
  | { readonly kind: 'accepted' }
  | { readonly kind: 'refused' }
  /** A probe found nothing; the first request may still be under way. */
  | { readonly kind: 'absent' }
  | { readonly kind: 'again'; readonly reason: string; readonly afterMs?: number }
  /** No further try will tell. */
  | { readonly kind: 'hopeless'; readonly reason: string }

/** What is looked at of an answer; `text` is the beginning of its body, where that matters. */
export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
}

/**
 * Statuses by which an upstream that honours keys says that it does not and never did accept this very request. Those
 * about access (401, 403, 407), about the address (404, 405, 410) and about conditions (412) are not among them: they may
 * speak of the repeat, or of a deployment, and a refusal that was none would lose an event.
 */
const REFUSALS: ReadonlySet<number> = new Set([400, 402, 406, 411, 413, 414, 415, 416, 417, 422, 428, 431, 451])

const ABOUT_A_KEY = /idempoten/i
const LONGEST_PAUSE_S = 300

/** Judges the answer to a settlement of this mode. */
export function judgeAnswer(mode: Settlement['mode'], answer: Answer): Verdict {
  const { status } = answer
  if (status >= 200 && status < 300) return { kind: 'accepted' }
  if (mode === 'probe') return status === 404 ? { kind: 'absent' } : again(answer)
  if (!REFUSALS.has(status)) return again(answer)
  if (ABOUT_A_KEY.test(answer.text)) {
    const reason = `the upstream answered ${status} and speaks of the Idempotency-Key: it knows the key with another request`
    return { kind: 'hopeless', reason }
  }
  return { kind: 'refused' }
}

/** True when what the body says decides, so that its beginning has to be read. */
export function needsText(mode: Settlement['mode'], status: number): boolean {
  return mode === 'replay' && REFUSALS.has(status)
}

function again({ status, headers }: Answer): Verdict {
  const afterMs = retryAfterMs(headers)
  const hint = HINTS[status]
  const reason = hint === undefined ? `status ${status}` : `status ${status}: ${hint}`
  return { kind: 'again', reason, ...(afterMs === undefined ? {} : { afterMs }) }
}

const HINTS: Readonly<Record<number, string>> = {
  401: 'if the upstream needs credentials, name their fields in settle-headers',
  403: 'if the upstream needs credentials, name their fields in settle-headers',
  404: 'is the address of the upstream still the same?',
  405: 'is the address of the upstream still the same?',
}

/** `Retry-After` in seconds, at most 5 minutes of it; dates are not read. */
export function retryAfterMs(headers: Headers): number | undefined {
  const seconds = headers.get('retry-after') ?? ''
  return /^\d{1,9}$/.test(seconds) ? Math.min(LONGEST_PAUSE_S, Number(seconds)) * 1_000 : undefined
}
