import { BROKERS, type BrokerKind, FAULTS, type FaultKind, faultNamed } from './catalogue.ts'
import { type Chance, createChance } from './chance.ts'

/** A fault with the moment at which it comes. */
export interface PlannedFault {
  readonly name: string
  /** Comes when so many orders have been begun. */
  readonly afterOrders: number
  /** How long it lasts, in milliseconds of the machine, for those that last. */
  readonly lastsMs: number
  /** The how-manieth time the step is reached, or how many answers are spoiled. */
  readonly count: number
  /** Drawn for whatever the fault has to choose, in [0, 1). */
  readonly draw: number
}

/** All choices of a run: the same for the same seed and the same wishes. */
export interface RunPlan {
  readonly seed: number
  readonly broker: BrokerKind
  readonly faults: readonly PlannedFault[]
  readonly gateways: 1 | 2
  readonly orders: number
  readonly customers: number
  readonly subjectIsCustomer: boolean
  /** A queue that sees every event. */
  readonly observed: boolean
  /** Breaks the node that other runs use too, so that it has to be alone. */
  readonly breaksNode: boolean
}

/** What is wanted of a run; what is left out is up to the seed. */
export interface Wishes {
  readonly brokers?: readonly BrokerKind[] | undefined
  /** This fault is among them; others may come with it. */
  readonly only?: string | undefined
  /** Faults that this machine cannot do. */
  readonly without?: ReadonlySet<string>
  readonly orders?: number | undefined
}

const WEIGHT_OF_NODE_BREAKERS = 0.35

/** Draws one to three faults that go together, and a scene for them. */
export function planRun(seed: number, { brokers = BROKERS, only, without = new Set(), orders }: Wishes = {}): RunPlan {
  const chance = createChance(seed)
  const wanted = only === undefined ? undefined : faultNamed(only)
  const possible = wanted ? brokers.filter((broker) => wanted.brokers.includes(broker)) : brokers
  if (possible.length === 0) throw new Error(`The fault "${only}" needs one of: ${wanted?.brokers.join(', ')}`)
  const broker = chance.pick(possible)
  const count = chance.pick([1, 1, 2, 2, 3])
  const kinds: FaultKind[] = wanted ? [wanted] : []
  const candidates = FAULTS.filter(({ name, brokers }) => brokers.includes(broker) && !without.has(name))
  for (let tries = 0; kinds.length < count && tries < 50; tries++) {
    const kind = chance.pick(candidates)
    // They take seconds each: seldom enough that most runs are others.
    if (kind.breaksNode && broker === 'rabbitmq' && !chance.happens(WEIGHT_OF_NODE_BREAKERS)) continue
    if (goesWith(kind, kinds)) kinds.push(kind)
  }
  const total = orders ?? chance.between(30, 100)
  const wish = kinds.find(({ gateways }) => gateways !== undefined)?.gateways
  return {
    seed,
    broker,
    gateways: wish ?? (broker !== 'inside' && chance.happens(0.25) ? 2 : 1),
    orders: total,
    customers: chance.between(4, 12),
    subjectIsCustomer: chance.happens(0.5),
    observed: !kinds.some(({ unobserved }) => unobserved),
    breaksNode: broker === 'rabbitmq' && kinds.some(({ breaksNode }) => breaksNode),
    faults: kinds.map((kind) => planFault(kind, total, chance)),
  }
}

function goesWith(kind: FaultKind, others: readonly FaultKind[]): boolean {
  return others.every((other) => other.group !== kind.group)
}

function planFault({ name }: FaultKind, orders: number, chance: Chance): PlannedFault {
  return {
    name,
    afterOrders: chance.between(1, Math.ceil(orders * 0.8)),
    lastsMs: chance.between(50, 700),
    count: chance.between(1, name.includes('-killed-') ? Math.ceil(orders / 4) : 8),
    draw: chance.next(),
  }
}

/** e.g. `seed 17: embedded, 2 gateways, 64 orders of 8 customers; line-cut after 12 orders + clock-back after 40 orders` */
export function describePlan({
  seed,
  broker,
  gateways,
  orders,
  customers,
  subjectIsCustomer,
  faults,
}: RunPlan): string {
  const scene = `${broker}, ${gateways === 1 ? 'one gateway' : 'two gateways'}, ${orders} orders of ${customers} customers`
  const list = faults.map(({ name, afterOrders }) => `${name} @${afterOrders}`).join(' + ')
  return `seed ${seed}: ${scene}, subject ${subjectIsCustomer ? 'customer' : 'order'}; ${list || 'no fault'}`
}
