import type { Dependency } from '../../admin/app.ts'
import { type EmbeddedBrokerAddress, parseEmbeddedBroker } from '../../config/broker-address.ts'
import type { Plan } from '../../config/plan.ts'
import type { Clock } from '../../core/clock.ts'
import type { EventBus, StepHook } from '../../core/events.ts'
import type { Operations } from '../../core/operations.ts'
import type { Logger, Metrics } from '../../core/telemetry.ts'
import { createAmqpPublisher } from '../../events/amqp-publisher.ts'
import { createEventBus } from '../../events/event-bus.ts'
import { startLease } from '../../events/lease.ts'
import { createMemoryOutbox } from '../../events/memory-outbox.ts'
import type { Outbox } from '../../events/outbox.ts'
import { createRelay } from '../../events/relay.ts'
import { createSettler, type Settler, type SettlerParts } from '../../events/settler.ts'
import { BrokerFileError } from './broker-file.ts'
import { type EmbeddedBroker, startEmbeddedBroker } from './embedded-broker.ts'
import { startOperations } from './operations.ts'
import { openSqliteOutbox } from './sqlite-outbox.ts'

export interface DeliveryParts {
  readonly clock: Clock
  readonly random: () => number
  readonly createId: () => string
  readonly log: Logger
  readonly metrics: Metrics
  /** Told of the steps of every event. */
  readonly onStep?: StepHook
}

/** The way of an event: bus, outbox, relay, broker. */
export interface EventDelivery {
  readonly events: EventBus
  /** URL of the broker, for services that consume; holds its password. */
  readonly brokerUrl: string
  readonly operations: Operations
  /** Begins to settle unknown outcomes, through the upstreams of whatever configuration holds at the time. */
  startSettling(current: Pick<SettlerParts, 'ask' | 'eventSchema'>): void
  check(): Promise<readonly Dependency[]>
  /** Sets the gauges that are read when somebody looks. */
  measure(): void
  /** Delivers what is due, at most for `withinMs`, then closes. Resolves with what stays in the outbox. */
  stop(withinMs: number): Promise<number>
}

/** Opens the outbox, starts the embedded broker when it is wanted, and lets the relay run. */
export async function startDelivery(
  { services: { broker, outbox: place }, topology }: Pick<Plan, 'services' | 'topology'>,
  parts: DeliveryParts,
): Promise<EventDelivery> {
  const outbox = openOutbox(place, parts)
  const { embedded, publisher, brokerUrl } = await connectBroker(broker, { ...parts, topology }).catch(
    async (error: unknown) => {
      await outbox.close()
      throw error
    },
  )
  const lease = startLease({ outbox, holder: parts.createId(), ...parts })
  const relay = createRelay({ outbox, publisher, lease, ...parts })
  let settler: Settler | undefined
  const tryNow = () => settler?.tryNow()
  const operations = startOperations({ outbox, relay, tryNow, brokerUrl, topology, ...parts })
  let wasWhole = false
  /** Whether the broker refuses a part of the topology right now. */
  const isRefused = (): boolean => {
    const { state } = publisher
    if (state.name !== 'ready') return false
    wasWhole ||= state.refusal === undefined
    return state.refusal !== undefined
  }
  publisher.onReady(isRefused)
  return {
    events: createEventBus({ outbox, wake: relay.wake, ...parts }),
    brokerUrl,
    operations,
    startSettling(current) {
      const isInCharge = () => lease.isHeld
      settler ??= createSettler({ outbox, wake: relay.wake, isInCharge, ...parts, ...current })
    },
    async check() {
      const { state } = publisher
      const isUp = state.name === 'ready' && !isRefused()
      const detail = 'reason' in state ? state.reason : 'refusal' in state ? state.refusal : state.name
      // Orders are taken while the broker is away. One that refuses the topology holds back a new gateway, and takes no
      // gateway away that has served with it: every other would go at the same moment.
      const isRequired = isRefused() && !wasWhole
      return [brokerState({ isUp, isRequired, detail: detail ?? state.name, embedded }), await outboxState(outbox)]
    },
    measure() {
      parts.metrics.gauge('sluice_topology_refused', isRefused() ? 1 : 0)
      if (embedded === undefined) return
      const { ready, unsettled, fileBytes } = embedded.stats()
      parts.metrics.gauge('sluice_broker_messages_ready', ready)
      parts.metrics.gauge('sluice_broker_messages_unsettled', unsettled)
      parts.metrics.gauge('sluice_broker_file_bytes', fileBytes)
    },
    async stop(withinMs) {
      await settler?.stop()
      const left = await relay.flush(withinMs)
      await relay.stop()
      await lease.stop()
      await operations.stop()
      await publisher.close()
      await outbox.close()
      await embedded?.stop()
      return left
    },
  }
}

async function connectBroker(broker: string, parts: DeliveryParts & Pick<Plan, 'topology'>) {
  const address = parseEmbeddedBroker(broker)
  const embedded = address && (await startBroker(address, parts))
  const brokerUrl = embedded?.url ?? broker
  return { embedded, brokerUrl, publisher: createAmqpPublisher({ url: brokerUrl, ...parts }) }
}

async function startBroker({ port, file }: EmbeddedBrokerAddress, parts: DeliveryParts): Promise<EmbeddedBroker> {
  try {
    return await startEmbeddedBroker({ ...parts, port, file })
  } catch (cause) {
    if (cause instanceof BrokerFileError) throw cause
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new Error(`Cannot start the embedded broker on port ${port || 'any'}: ${reason}; change services.broker`, {
      cause,
    })
  }
}

const SQLITE = 'sqlite:'

function openOutbox(place: string, { clock }: DeliveryParts): Outbox {
  return place.startsWith(SQLITE) ? openSqliteOutbox({ path: place.slice(SQLITE.length), clock }) : createMemoryOutbox()
}

interface BrokerState {
  readonly isUp: boolean
  readonly isRequired: boolean
  readonly detail: string
  readonly embedded: EmbeddedBroker | undefined
}

function brokerState({ isUp, isRequired, detail, embedded }: BrokerState): Dependency {
  const state = { name: 'broker', required: isRequired, ok: isUp }
  if (!isUp) return { ...state, detail }
  if (embedded === undefined) return state
  const { ready, unsettled } = embedded.stats()
  return { ...state, detail: `${ready} ready, ${unsettled} unsettled` }
}

async function outboxState(outbox: Outbox): Promise<Dependency> {
  try {
    const { committed, parked, unknown } = await outbox.counts()
    return {
      name: 'outbox',
      required: true,
      ok: true,
      detail: `${committed} waiting, ${unknown} unknown, ${parked} parked`,
    }
  } catch (error) {
    return { name: 'outbox', required: true, ok: false, detail: error instanceof Error ? error.message : String(error) }
  }
}
