import type { Database } from 'bun:sqlite'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import {
  type ConsumerOptions,
  createConsumer,
  createInbox,
  type Inbox,
  openDatabase,
  type Reaction,
  readSchemas,
  type StepHook,
} from '../consumer/index.ts'
import type { ServiceName } from './ports.ts'
import { createService, type Service, type ServiceDefinition, type ServiceOptions } from './service.ts'

/** Where a service's events come from, and how patient it is with them; see `ConsumerOptions`. */
export type EventSettings = Pick<ConsumerOptions, 'url' | 'exchange' | 'queuePrefix' | 'retriesMs' | 'delaysMs'>

/** What a service that handles events takes besides. */
export interface EventServiceOptions extends ServiceOptions {
  /** Without them it answers requests and hears no events. */
  readonly events?: EventSettings | undefined
  /** Folder of its database, or `:memory:`, which is the default. */
  readonly data?: string
  /** For tests that end the process at a step. */
  readonly onStep?: StepHook
}

/** A service with state in SQLite and reactions to events; `inbox` takes events without a broker as well. */
export interface EventService extends Service {
  readonly inbox: Inbox
}

interface EventServiceDefinition extends Pick<ServiceDefinition, 'name' | 'routes'> {
  readonly database: Database
  readonly reactions: readonly Reaction[]
  /** Types of the events it makes. */
  readonly makes: readonly string[]
}

const SCHEMAS = fileURLToPath(new URL('../../config/events/', import.meta.url))

/** The database of one service: a file of its own. */
export function openServiceDatabase(name: ServiceName, { data = ':memory:' }: EventServiceOptions): Database {
  return openDatabase(data === ':memory:' ? data : join(data, `${name}.db`))
}

/** Makes the service; its consumer starts once it listens. */
export function createEventService(definition: EventServiceDefinition, options: EventServiceOptions): EventService {
  const { name, routes, database, reactions, makes } = definition
  const { events, onStep, log, random, now = Date.now } = options
  const schemas = readSchemas(SCHEMAS, [...reactions.map(({ type }) => type), ...makes])
  const inbox = createInbox({ service: name, source: `/shop/${name}`, database, reactions, schemas, now, onStep })
  const consumer =
    events && createConsumer({ ...events, inbox, now, onStep, ...(log && { log }), ...(random && { random }) })
  const service = createService(
    {
      name,
      routes,
      companion: {
        start: () => consumer?.start(),
        stop: async () => consumer?.stop(),
        close: () => database.close(),
        metrics: () => consumer?.metrics.render() ?? '',
      },
    },
    options,
  )
  // Not spread: the port is known only once it listens.
  return Object.assign(service, { inbox })
}
