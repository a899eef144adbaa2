import { type Clock, sleep } from '../../gateway/core/clock.ts'
import { GatewayError } from '../../gateway/core/errors.ts'
import type { Exchange } from '../../gateway/core/exchange.ts'
import type { Logger } from '../../gateway/core/telemetry.ts'
import type { Algorithm } from './algorithms.ts'
import { FETCH_TIMEOUT_MS, fetchKeys } from './fetch-keys.ts'
import { readKeyDocument } from './key-document.ts'
import type { KeySet } from './key-set.ts'

/** The request on whose behalf keys are wanted: it keeps the runtime awake and stops waiting when it ends. */
export type KeyUser = Pick<Exchange, 'signal' | 'waitUntil'>

/** Where a mount takes its keys from. */
export interface KeySource {
  /** The keys that may be used now, without waiting; undefined when they have to be fetched first. */
  ready(user: KeyUser): KeySet | undefined
  /** The keys to verify with. Throws `overloaded` when there are none and the issuer does not give any. */
  keys(user: KeyUser): Promise<KeySet>
  /** The keys after asking the issuer about a `kid` that nobody knows; the same ones when it was asked just now. */
  reconsidered(user: KeyUser): Promise<KeySet>
}

/** Keys that stand in the configuration. */
export function fixedKeys(set: KeySet): KeySource {
  return { ready: () => set, keys: async () => set, reconsidered: async () => set }
}

export interface PublishedKeysOptions {
  readonly url: string
  readonly algorithms: readonly Algorithm[]
  /** Age up to which keys are used without question. */
  readonly cacheForMs: number
  /** Age up to which they are used when the issuer cannot be reached. */
  readonly staleForMs: number
  /** Least time between two questions about unknown key ids, and after a failure while keys are at hand. */
  readonly cooldownMs: number
}

export interface PublishedKeysServices {
  readonly clock: Clock
  readonly fetch: (url: string, init?: RequestInit) => Promise<Response>
  readonly log: Logger
}

/** Share of `cacheForMs` after which a busy gateway fetches anew in the background, so that no request waits. */
const REFRESH_AHEAD = 0.75
const POLL_MS = 20
/** Without any key every request fails, so the issuer is asked again soon. */
const EMPTY_HANDED_RETRY_MS = 1_000

/**
 * Keys an issuer publishes, cached. At most one fetch is under way at a time. What requests share is plain data, never
 * a promise (Workers forbid to await another request's): those that have to wait look again on timers of their own,
 * and a fetch whose request died with its isolate is taken over when its lease has run out.
 */
export function publishedKeys(options: PublishedKeysOptions, services: PublishedKeysServices): KeySource {
  const { clock, log } = services
  let held: { readonly set: KeySet; readonly fingerprint: string; readonly since: number } | undefined
  let leaseUntil = 0
  let retryAt = 0
  let askedAgainAt = Number.NEGATIVE_INFINITY

  const isFetching = () => clock.now() < leaseUntil
  const isAtMost = (ageMs: number) => held !== undefined && clock.now() - held.since <= ageMs
  const within = (ageMs: number) => (isAtMost(ageMs) ? held?.set : undefined)

  async function refresh(): Promise<void> {
    leaseUntil = clock.now() + FETCH_TIMEOUT_MS
    try {
      const { keys, fingerprint } = readKeyDocument(await fetchKeys(options.url, services), options.algorithms)
      // The same keys stay the same object: tokens remembered with them remain so, and imported keys are kept.
      const set = held?.fingerprint === fingerprint ? held.set : { keys }
      held = { set, fingerprint, since: clock.now() }
      retryAt = 0
    } catch (error) {
      const staleUsable = isAtMost(options.staleForMs)
      retryAt = clock.now() + (staleUsable ? options.cooldownMs : EMPTY_HANDED_RETRY_MS)
      log.warn('jwt keys cannot be fetched', { url: options.url, cause: String(error), staleUsable })
    } finally {
      leaseUntil = 0
    }
  }

  function refreshFor(user: KeyUser): Promise<void> {
    const work = refresh()
    user.waitUntil(work)
    return work
  }

  function ready(user: KeyUser): KeySet | undefined {
    const fresh = within(options.cacheForMs)
    const isDue = !isAtMost(options.cacheForMs * REFRESH_AHEAD)
    if (fresh && isDue && !isFetching() && clock.now() >= retryAt) refreshFor(user)
    return fresh
  }

  async function keys(user: KeyUser): Promise<KeySet> {
    for (;;) {
      const mayBeStale = isFetching() || clock.now() < retryAt
      const set = ready(user) ?? (mayBeStale ? within(options.staleForMs) : undefined)
      if (set) return set
      if (isFetching()) await sleep(clock, POLL_MS, user.signal)
      else if (clock.now() < retryAt) throw unavailable(retryAt - clock.now())
      else await refreshFor(user)
    }
  }

  async function reconsidered(user: KeyUser): Promise<KeySet> {
    const mayAsk = clock.now() >= askedAgainAt + options.cooldownMs && clock.now() >= retryAt
    if (!isFetching() && mayAsk) {
      askedAgainAt = clock.now()
      await refreshFor(user)
    }
    while (isFetching()) await sleep(clock, POLL_MS, user.signal)
    return keys(user)
  }

  return { ready, keys, reconsidered }
}

function unavailable(waitMs: number): GatewayError {
  return new GatewayError('overloaded', {
    detail: 'The keys of the token issuer cannot be fetched, so no token can be checked now',
    headers: { 'retry-after': `${Math.max(1, Math.ceil(waitMs / 1_000))}` },
  })
}
