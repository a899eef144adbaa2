import { toBase64 } from '../core/base64.ts'
import { collect } from '../core/body.ts'
import type { Clock } from '../core/clock.ts'
import { GatewayError } from '../core/errors.ts'
import type { StoredRequest } from '../core/events.ts'
import type { Compensation } from '../core/journal.ts'
import { type AskUpstream, UnknownUpstream } from '../core/own-request.ts'
import type { CallRecord } from '../core/record.ts'
import { recordedScope } from '../core/recorded-scope.ts'
import { parseReference } from '../core/reference.ts'
import { parseReply, replyTooLarge, UnreadableReply } from '../core/reply-body.ts'
import { parseRequestSource, renderRequest } from '../core/request-template.ts'
import { extendScope } from '../core/scope.ts'
import { judgeAnswer, needsText, retryAfterMs } from '../events/settle-verdict.ts'
import type { JournalWrite, SagaEntry } from './saga-entry.ts'
import type { SagaNews } from './saga-news.ts'

/** What one attempt has shown. */
export type Finding =
  | { readonly kind: 'undone' }
  /** It was done, with what its compensation reads of the reply. */
  | { readonly kind: 'done'; readonly ofReply: Readonly<Record<string, unknown>> }
  | { readonly kind: 'not-done' }
  | { readonly kind: 'again'; readonly reason: string; readonly afterMs?: number; readonly isUpstreamAway: boolean }
  /** No further try will help. */
  | { readonly kind: 'hopeless'; readonly reason: string }

export interface AttemptParts {
  readonly ask: AskUpstream
  readonly clock: Clock
  readonly news: SagaNews
}

/** A write that can be undone, and its saga. */
export interface Undoable {
  readonly entry: SagaEntry
  readonly write: JournalWrite
  readonly compensation: Compensation
}

const ATTEMPT_MS = 30_000
const TEXT_BYTES = 16_384
/** A service may say "conflict" while the first call is still under way there; later it is its answer. */
const CONFLICT = 409
const OUTSTANDING_MS = 30_000
const ABOUT_A_KEY = /idempoten/i
const AWAY: ReadonlySet<string> = new Set(['circuit-open', 'overloaded', 'upstream-unreachable', 'upstream-timeout'])

/** Whether a write is made again before it is undone. */
export function isAskedAgain({ write, compensation }: Pick<Undoable, 'write' | 'compensation'>): boolean {
  return write.stage !== 'done' && compensation.whenUnknown === 'ask-again'
}

/** The upstream that is asked next about a write. */
export function upstreamOf(undoable: Undoable): string {
  return isAskedAgain(undoable) ? undoable.write.upstream : undoable.compensation.upstream
}

/** Makes one call towards undoing a write. Rejects only with the reason of `stop`, when that aborts. */
export async function attemptToUndo(undoable: Undoable, stop: AbortSignal, parts: AttemptParts): Promise<Finding> {
  const { ask, clock, news } = parts
  const again = isAskedAgain(undoable)
  const request = again ? undoable.write.request : worded(undoable.compensation)
  if (typeof request === 'string') return { kind: 'hopeless', reason: request }
  const late = new AbortController()
  const cancel = clock.after(ATTEMPT_MS, () => late.abort(new GatewayError('upstream-timeout')))
  const signal = AbortSignal.any([stop, late.signal])
  const upstream = upstreamOf(undoable)
  const { part } = undoable.write
  const record: CallRecord = { upstream, part, purpose: again ? 'repeat' : 'compensation', attempts: 0 }
  news.calling(undoable.entry.id, record)
  const { route, traceparent } = undoable.entry.draft
  const work = async () => {
    const own = { ...request, route, traceparent, deadlineMs: clock.now() + ATTEMPT_MS, signal, record }
    const response = await ask(upstream, own)
    const finding = again
      ? await afterWrite(undoable, response, { clock, signal })
      : afterCompensation(undoable, response)
    if (!response.bodyUsed) response.body?.cancel().catch(() => {})
    return finding
  }
  try {
    return await unlessAborted(signal, work())
  } catch (error) {
    stop.throwIfAborted()
    return findingOfFailure(error)
  } finally {
    cancel()
    // `stop` lives as long as the gateway, and with it whoever still listens to a signal made of it.
    late.abort()
  }
}

/** The compensation as it is sent, or why it cannot be. */
function worded({ template, fields, values }: Compensation): StoredRequest | string {
  try {
    const { method, path, headers, body } = renderRequest(parseRequestSource(template), recordedScope(values))
    const all = new Headers(fields.map(([name, value]): [string, string] => [name, value]))
    if (body !== undefined) all.set('content-type', 'application/json')
    for (const [name, value] of headers) all.set(name, value)
    return {
      method,
      path,
      headers: [...all],
      ...(body === undefined ? {} : { body: toBase64(new TextEncoder().encode(body)) }),
    }
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error
    return `the compensation cannot be worded: ${error.message}`
  }
}

function afterCompensation({ compensation: { success } }: Undoable, { status, headers }: Response): Finding {
  if (isAmong(success, status)) return { kind: 'undone' }
  const verdict = judgeAnswer('replay', { status, headers, text: '' })
  if (verdict.kind === 'refused' || verdict.kind === 'hopeless') {
    return { kind: 'hopeless', reason: `the upstream refuses to undo it: status ${status}` }
  }
  return again(status, headers)
}

async function afterWrite(
  undoable: Undoable,
  response: Response,
  { clock, signal }: { readonly clock: Clock; readonly signal: AbortSignal },
): Promise<Finding> {
  const { status, headers } = response
  const { entry, write } = undoable
  if (isAmong(write.success, status)) return readOfReply(undoable, response, signal)
  if (write.refusals.includes(status)) return { kind: 'not-done' }
  const text = status === CONFLICT || needsText('replay', status) ? await beginningOf(response, signal) : ''
  if (status === CONFLICT && clock.now() - entry.beganAtMs >= OUTSTANDING_MS && !ABOUT_A_KEY.test(text)) {
    return { kind: 'not-done' }
  }
  const verdict = judgeAnswer('replay', { status, headers, text })
  if (verdict.kind === 'refused') return { kind: 'not-done' }
  if (verdict.kind === 'again') return again(status, headers)
  const reason = verdict.kind === 'hopeless' ? verdict.reason : `asked again, the upstream answered ${status}`
  return { kind: 'hopeless', reason }
}

async function readOfReply(
  { write: { part }, compensation: { ofReply, maxBody } }: Undoable,
  response: Response,
  signal: AbortSignal,
): Promise<Finding> {
  const references = ofReply.map((source) => parseReference(source))
  try {
    const { status, headers } = response
    const body = references.some(({ path }) => path[1] === 'body')
      ? await readJson(response, maxBody, signal)
      : undefined
    const reply = { status, headers: Object.fromEntries(headers), body }
    const scope = extendScope(recordedScope({}), { parts: { [part]: reply } })
    return { kind: 'done', ofReply: Object.fromEntries(references.map(({ source, read }) => [source, read(scope)])) }
  } catch (error) {
    if (!(error instanceof UnreadableReply)) throw error
    return { kind: 'hopeless', reason: `it was done, but its reply cannot be read: ${error.message}` }
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

function again(status: number, headers: Headers): Finding {
  const afterMs = retryAfterMs(headers)
  const isUpstreamAway = status >= 500 || status === 429
  return { kind: 'again', reason: `status ${status}`, isUpstreamAway, ...(afterMs === undefined ? {} : { afterMs }) }
}

function findingOfFailure(error: unknown): Finding {
  if (error instanceof UnknownUpstream) return { kind: 'hopeless', reason: error.message }
  if (!(error instanceof GatewayError)) return { kind: 'again', reason: String(error), isUpstreamAway: false }
  const afterMs = retryAfterMs(new Headers(error.headers))
  const after = afterMs === undefined ? {} : { afterMs }
  return { kind: 'again', reason: reasonOf(error), ...after, isUpstreamAway: AWAY.has(error.code) }
}

/** With what the network says of it, such as `ECONNREFUSED`. */
function reasonOf({ code, cause }: GatewayError): string {
  return cause instanceof Error && 'code' in cause ? `${code}: ${cause.code}` : code
}

function isAmong(statuses: readonly (number | string)[], status: number): boolean {
  return statuses.includes(status) || statuses.includes(`${Math.floor(status / 100)}xx`)
}

/** A policy or an upstream that ignores the signal must not hold up the rest. */
function unlessAborted<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const leave = () => reject(signal.reason)
    if (signal.aborted) leave()
    else signal.addEventListener('abort', leave, { once: true })
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', leave))
  })
}
