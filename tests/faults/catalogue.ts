/** Where the events go: a RabbitMQ node, the embedded broker as a process of its own, or inside the gateway. */
export const BROKERS = ['rabbitmq', 'embedded', 'inside'] as const
export type BrokerKind = (typeof BROKERS)[number]

/** A fault that can be ordered, and where it makes sense. */
export interface FaultKind {
  readonly name: string
  readonly what: string
  readonly brokers: readonly BrokerKind[]
  /** How many gateways share the outbox in a run with this fault; any number when left out. */
  readonly gateways?: 1 | 2
  /** Breaks the node that other runs use too. */
  readonly breaksNode?: boolean
  /** Faults of one group do not come together: they would undo each other. */
  readonly group: string
  /** A queue that sees every event would take what is to be returned. */
  readonly unobserved?: boolean
  readonly needsRoot?: boolean
}

const ALL = BROKERS
const OUTSIDE = ['rabbitmq', 'embedded'] as const

/** Steps of a gateway, at each of which it is killed. */
export const GATEWAY_STEPS = [
  'before-intent',
  'after-intent',
  'during-upstream-call',
  'after-reply',
  'after-commit',
  'during-publish',
  'after-confirm-before-mark',
] as const

/** Steps of a consumer, at each of which it is killed. */
export const CONSUMER_STEPS = [
  'before-effect',
  'before-commit',
  'after-commit-before-ack',
  'after-publish-before-mark',
] as const

/** Every fault there is. */
export const FAULTS: readonly FaultKind[] = [
  ...GATEWAY_STEPS.map((step) => ({
    name: `gateway-killed-${step}`,
    what: `the gateway is killed (SIGKILL) at the step ${step} and started again`,
    brokers: ALL,
    group: 'gateway-step',
  })),
  {
    name: 'gateway-killed',
    what: 'the gateway is killed (SIGKILL) at any moment and started again',
    brokers: ALL,
    group: 'gateway',
  },
  {
    name: 'gateway-stopped',
    what: 'the gateway is told to stop (SIGTERM) under load and started again',
    brokers: ALL,
    group: 'gateway',
  },
  {
    name: 'relay-killed',
    what: 'two gateways on one outbox; the one whose relay delivers is killed',
    brokers: OUTSIDE,
    gateways: 2,
    group: 'gateway',
  },
  {
    name: 'relay-frozen',
    what: 'two gateways on one outbox; the one whose relay delivers is frozen (SIGSTOP) beyond its lease and goes on',
    brokers: OUTSIDE,
    gateways: 2,
    group: 'gateway',
  },
  {
    name: 'clock-forward',
    what: 'the time of day of the gateway is set forward, by up to two days',
    brokers: ALL,
    group: 'clock',
  },
  {
    name: 'clock-back',
    what: 'the time of day of the gateway is set back, by up to two days',
    brokers: ALL,
    group: 'clock',
  },
  {
    name: 'outbox-disk-full',
    what: 'the disk of the outbox is full for a while',
    brokers: ALL,
    group: 'disk',
    needsRoot: true,
  },
  {
    name: 'broker-killed',
    what: 'the broker is killed (SIGKILL) and started again on what is on its disk',
    brokers: OUTSIDE,
    breaksNode: true,
    group: 'broker',
  },
  {
    name: 'broker-alarm',
    what: 'the broker raises its memory alarm (connection.blocked) and takes it back',
    brokers: ['rabbitmq'],
    breaksNode: true,
    group: 'broker',
  },
  {
    name: 'line-cut',
    what: 'the connection from gateway to broker is cut in the middle of a frame',
    brokers: OUTSIDE,
    group: 'broker',
  },
  {
    name: 'line-silent',
    what: 'the connection from gateway to broker passes nothing on, without a word, beyond the confirmation timeout',
    brokers: OUTSIDE,
    group: 'broker',
  },
  {
    name: 'confirms-late',
    what: 'the broker gets everything, but its confirmations come after the gateway has stopped to wait',
    brokers: OUTSIDE,
    group: 'broker',
  },
  {
    name: 'line-slow',
    what: 'the connection from gateway to broker carries 10 kB/s',
    brokers: OUTSIDE,
    group: 'broker',
  },
  {
    name: 'queues-deleted',
    what: 'the queues of order.placed are unbound and deleted, and declared again later',
    brokers: OUTSIDE,
    group: 'broker',
    unobserved: true,
  },
  {
    name: 'exchange-deleted',
    what: 'the exchange is deleted with all its bindings, and bound again later',
    brokers: OUTSIDE,
    group: 'broker',
    unobserved: true,
  },
  ...CONSUMER_STEPS.map((step) => ({
    name: `consumer-killed-${step}`,
    what: `a consumer is killed (SIGKILL) at the step ${step} and started again`,
    brokers: ALL,
    group: 'consumer-step',
  })),
  {
    name: 'consumer-killed',
    what: 'a consumer is killed (SIGKILL) at any moment and started again',
    brokers: ALL,
    group: 'consumer',
  },
  {
    name: 'consumer-cut',
    what: 'the connections of all consumers are cut in the middle of a frame',
    brokers: ALL,
    group: 'consumer',
  },
  {
    name: 'orders-late',
    what: 'the order service stores orders and answers after the gateway has given up',
    brokers: ALL,
    group: 'orders',
  },
  {
    name: 'orders-error',
    what: 'the order service stores orders and answers 500 or 503',
    brokers: ALL,
    group: 'orders',
  },
  {
    name: 'orders-reset',
    what: 'the order service stores orders and the connection is reset before the answer',
    brokers: ALL,
    group: 'orders',
  },
  {
    name: 'orders-killed',
    what: 'the order service is killed (SIGKILL) at any moment and started again',
    brokers: ALL,
    group: 'orders',
  },
]

/** The fault of this name; throws with the names there are. */
export function faultNamed(name: string): FaultKind {
  const found = FAULTS.find((fault) => fault.name === name)
  if (found) return found
  throw new Error(`There is no fault "${name}"; there are: ${FAULTS.map((fault) => fault.name).join(', ')}`)
}
