import type { UpstreamPlan, VersionPlan } from '../config/plan.ts'
import type { Clock } from '../core/clock.ts'
import type { Call } from '../core/exchange.ts'

/** One address of an upstream with what the balancer knows of it. */
export interface Target {
  /** Without a trailing slash; a call's path is appended. */
  readonly base: string
  readonly origin: string
  /** What stands in `base` behind the origin; mostly empty. */
  readonly basePath: string
  readonly weight: number
  inFlight: number
  /** Moving average of the time to a response's head, in milliseconds; 0 before the first. */
  ewmaMs: number
  lastAtMs: number
}

/** Chooses the target of one attempt. */
export type Balancer = (call: Call) => Target

/** How fast old latencies are forgotten. */
const DECAY_MS = 10_000

export function createBalancer(
  balance: UpstreamPlan['balance'],
  { targets: plans }: VersionPlan,
  random: () => number,
): Balancer {
  const targets = plans.map(({ url, weight }): Target => {
    const { origin, pathname } = new URL(url)
    const basePath = pathname.replace(/\/+$/, '')
    return { base: origin + basePath, origin, basePath, weight, inFlight: 0, ewmaMs: 0, lastAtMs: 0 }
  })
  const [only] = targets
  if (only === undefined) throw new TypeError('An upstream needs a target')
  if (targets.length === 1) return () => only
  return STRATEGIES[balance](targets, random)
}

type Strategy = (targets: readonly Target[], random: () => number) => Balancer

const STRATEGIES: Readonly<Record<UpstreamPlan['balance'], Strategy>> = {
  'round-robin': smoothRoundRobin,
  random: (targets, random) => () => weighted(targets, random),
  'least-requests': (targets) => () => best(targets, ({ inFlight, weight }) => (inFlight + 1) / weight),
  'p2c-ewma': (targets, random) => () =>
    best(
      [weighted(targets, random), weighted(targets, random)],
      ({ ewmaMs, inFlight }) => (ewmaMs + 1) * (inFlight + 1),
    ),
  hash: (targets) => (call) => rendezvous(targets, call.exchange.scope.clientId ?? call.exchange.client.ip ?? ''),
}

/** nginx's smooth weighted round robin: the heaviest target does not get its share in one burst. */
function smoothRoundRobin(targets: readonly Target[]): Balancer {
  const current = targets.map(() => 0)
  const total = targets.reduce((sum, { weight }) => sum + weight, 0)
  return () => {
    let chosen = 0
    for (const [i, { weight }] of targets.entries()) {
      current[i] = (current[i] ?? 0) + weight
      if ((current[i] ?? 0) > (current[chosen] ?? 0)) chosen = i
    }
    current[chosen] = (current[chosen] ?? 0) - total
    return at(targets, chosen)
  }
}

function weighted(targets: readonly Target[], random: () => number): Target {
  let rest = random() * targets.reduce((sum, { weight }) => sum + weight, 0)
  for (const target of targets) {
    rest -= target.weight
    if (rest < 0) return target
  }
  return at(targets, targets.length - 1)
}

function best(targets: readonly Target[], cost: (target: Target) => number): Target {
  return targets.reduce((least, target) => (cost(target) < cost(least) ? target : least))
}

/** Weighted rendezvous hashing: a target that leaves moves only its own clients. */
function rendezvous(targets: readonly Target[], key: string): Target {
  return best(targets, ({ base, weight }) => -Math.log((hash(`${base}\n${key}`) + 1) / 0x1_0000_0001) / weight)
}

/** FNV-1a with a final mix; spreads, does not protect. */
function hash(text: string): number {
  let value = 0x811c9dc5
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 0x01000193)
  value = Math.imul(value ^ (value >>> 16), 0x45d9f3b)
  return (value ^ (value >>> 16)) >>> 0
}

function at(targets: readonly Target[], index: number): Target {
  const target = targets[index]
  if (!target) throw new RangeError(`No target at ${index}`)
  return target
}

/** Notes that a call has begun, and says when. */
export function occupy(target: Target, clock: Clock): number {
  target.inFlight++
  return clock.now()
}

/** Notes that a call has ended that began then. */
export function vacate(target: Target, startedAt: number, clock: Clock): void {
  const now = clock.now()
  const weight = Math.exp(-(now - target.lastAtMs) / DECAY_MS)
  target.inFlight--
  target.ewmaMs = target.lastAtMs === 0 ? now - startedAt : target.ewmaMs * weight + (now - startedAt) * (1 - weight)
  target.lastAtMs = now
}
