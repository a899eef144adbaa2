import { GatewayError } from '../../gateway/core/errors.ts'
import type { Exchange } from '../../gateway/core/exchange.ts'
import { IDEMPOTENCY_KEY_RULE, parseIdempotencyKey } from '../../gateway/core/idempotency-key.ts'
import { principal } from '../../gateway/core/keys.ts'
import { definePolicy } from '../../gateway/core/policy.ts'
import { noteWhole } from '../../gateway/core/read-reply.ts'
import type { Reference } from '../../gateway/core/reference.ts'
import { StoreUnavailable } from '../../gateway/core/store.ts'
import { createAnswers, type Lease } from './answers.ts'
import { detachFromClient } from './detach.ts'
import { fingerprintOf, type Place, placeOf } from './digest.ts'
import type { Entry, UnkeptReason } from './entry.ts'
import { replay, toAnswered } from './kept-response.ts'
import { options } from './options.ts'
import { type ReadBody, readUpTo } from './read-up-to.ts'

const UNSAFE: ReadonlySet<string> = new Set(['POST', 'PUT', 'PATCH', 'DELETE'])

/**
 * Refused for now, or failed before the work was done as far as can be told: a repeat runs again. With 409 an upstream that
 * knows the key says that the first request, which the gateway has given up, still runs: kept, it would hide the outcome.
 */
const RELEASED: ReadonlySet<number> = new Set([401, 403, 408, 409, 425, 429, 502, 503, 504])

const UNKEPT: Readonly<Record<UnkeptReason, string>> = {
  'too-large': 'it was too large',
  'event-stream': 'it was a stream of events',
  interrupted: 'it broke off',
  'store-failed': 'the store could not take it',
}

/** Runs a request with an `Idempotency-Key` once, and answers every repeat with the first answer. */
export default definePolicy({
  name: 'idempotency',
  at: 'route',
  // An answer must never be replayed to somebody who has not been authenticated yet.
  follows: [principal],
  options,
  needs: ({ scope }) => (scope.every(readsPrincipal) ? [principal] : []),

  create(given, services, { path }) {
    const { clock, metrics } = services
    const { required, header, scope, 'max-body': maxBody } = given
    const answers = createAnswers(given, services, path)

    return async function idempotency(exchange, next) {
      if (!UNSAFE.has(exchange.request.method)) return next()
      const key = keyOf(exchange)
      if (key === undefined) return next()
      const [place, fingerprint] = await Promise.all([placeOf(key, scope, exchange), fingerprintOf(exchange)])
      const reserved = await reserve(place, fingerprint, exchange)
      if (!reserved) return next()
      if (!reserved.lease) return answerFrom(reserved.entry, fingerprint, exchange)
      const detached = detachFromClient(exchange, clock)
      const work = run(reserved.lease, exchange, () => next({ signal: detached.signal })).finally(detached.attach)
      // On some runtimes a client that leaves would take the unfinished work with it.
      exchange.waitUntil(work.catch(() => {}))
      return work
    }

    function keyOf({ request }: Exchange): string | undefined {
      const field = request.headers.get(header)
      if (field === null) {
        if (!required) return undefined
        throw new GatewayError('idempotency-key-required', { detail: `Send a unique ${header} with this request` })
      }
      const key = parseIdempotencyKey(field)
      if (key !== undefined) return key
      throw new GatewayError('invalid-request', { detail: `${header} ${IDEMPOTENCY_KEY_RULE}` })
    }

    /** Undefined when the store failed and the request may pass unprotected. */
    async function reserve(place: Place, fingerprint: string, exchange: Exchange) {
      try {
        return await answers.reserve(place, fingerprint, exchange)
      } catch (error) {
        if (!(error instanceof StoreUnavailable)) throw error
        note(exchange, 'store-unavailable', { answer: given['on-store-failure'], cause: error.message })
        if (given['on-store-failure'] === 'allow') return undefined
        const detail = 'Repeats of this request cannot be recognised at present'
        throw new GatewayError('overloaded', { detail, headers: { 'retry-after': '1' }, cause: error })
      }
    }

    function answerFrom(entry: Entry, fingerprint: string, exchange: Exchange): Response {
      if (entry.fingerprint !== fingerprint) {
        note(exchange, 'reused')
        throw new GatewayError('idempotency-key-reused', {
          detail: 'The key came with another method, path, query or body before: use a new key for a new request',
        })
      }
      if (entry.state === 'answered') {
        note(exchange, 'replayed', { status: entry.status })
        return replay(entry)
      }
      if (entry.state === 'running') {
        note(exchange, 'in-use')
        throw new GatewayError('idempotency-key-in-use', {
          detail: 'The first request with it is still running',
          headers: { 'retry-after': '1' },
        })
      }
      const { status, reason } = entry
      note(exchange, 'unkept', { status, reason })
      throw new GatewayError('idempotency-key-in-use', {
        detail: `The request was done and answered with ${status}, but its answer cannot be repeated: ${UNKEPT[reason]}`,
        extensions: { 'completed-status': status },
      })
    }

    async function run(lease: Lease, exchange: Exchange, next: () => Promise<Response>): Promise<Response> {
      let response: Response
      try {
        response = await next()
      } catch (error) {
        await answers.release(lease)
        throw error
      }
      const { status, headers } = response
      if (RELEASED.has(status)) {
        note(exchange, 'released', { status })
        await answers.release(lease)
        return response
      }
      if (isEventStream(headers)) {
        await keepWithout(lease, status, 'event-stream', exchange)
        return response
      }
      const body = await read(response, lease, exchange)
      if (body.whole) await keep(lease, response, body.whole, exchange)
      else await keepWithout(lease, status, 'too-large', exchange)
      const sent = body.whole ?? body.stream
      const passed = new Response(response.body && sent, { status, statusText: response.statusText, headers })
      return body.whole ? noteWhole(passed) : passed
    }

    /** A body that breaks off after the upstream has said yes must not lead to the work being done again. */
    async function read(response: Response, lease: Lease, exchange: Exchange): Promise<ReadBody> {
      try {
        return await readUpTo(response.body, maxBody)
      } catch (cause) {
        if (response.ok) await keepWithout(lease, response.status, 'interrupted', exchange)
        else await answers.release(lease)
        if (exchange.signal.aborted) throw exchange.signal.reason
        throw new GatewayError('upstream-invalid-response', { cause })
      }
    }

    async function keep(lease: Lease, response: Response, body: Uint8Array, exchange: Exchange): Promise<void> {
      const outcome = await answers.keep(lease, toAnswered(response, body, lease.fingerprint))
      if (outcome === 'store-failed') return keepWithout(lease, response.status, 'store-failed', exchange)
      note(exchange, outcome, { status: response.status })
    }

    async function keepWithout(lease: Lease, status: number, reason: UnkeptReason, exchange: Exchange): Promise<void> {
      const { fingerprint } = lease
      const outcome = await answers.keep(lease, { state: 'unkept', fingerprint, status, reason })
      note(exchange, outcome === 'kept' ? 'unkept' : outcome, { status, reason })
    }

    function note({ record }: Exchange, outcome: string, facts: Readonly<Record<string, unknown>> = {}): void {
      record.policies.idempotency = { outcome, ...facts }
      metrics.count('sluice_idempotency_total', { mount: path, outcome })
    }
  },
})

function readsPrincipal({ root, path: [first] }: Reference): boolean {
  return root === 'claims' || (root === 'client' && first === 'id')
}

function isEventStream(headers: Headers): boolean {
  return (headers.get('content-type') ?? '').toLowerCase().startsWith('text/event-stream')
}
