import type { z } from 'zod'
import type { EventSchema } from './event-schema.ts'
import type { Call, Exchange } from './exchange.ts'
import type { Key } from './keys.ts'
import type { Middleware } from './pipeline.ts'
import type { LocalRoot } from './reference.ts'
import type { Services, UpstreamRequest, UpstreamServices } from './services.ts'
import type { Template } from './template.ts'

/** What is known at load about the place a policy is mounted at. */
export interface Site {
  /** Stable name for store keys and metrics, made of names and not of list positions, e.g. `routes.orders.rate-limit`. */
  readonly path: string
  /** The route or upstream it is mounted on. */
  readonly owner: string
  /** Parameters of the route's path; undefined on an upstream. */
  readonly params?: readonly string[]
  /** Methods its route answers; undefined on an upstream. */
  readonly methods?: readonly string[]
  /** Time its route has until the response begins, in milliseconds; undefined on an upstream, and where it cannot be read. */
  readonly timeoutMs?: number
  /** Versions of the upstream it is mounted on; undefined on a route. */
  readonly versions?: readonly string[]
  /** Every upstream of the file. */
  readonly upstreams: readonly string[]
  /** The upstream its route ends in; undefined when a policy ends it, and on an upstream. */
  readonly upstream?: string
  /** What the data of an event type must look like, when there is a schema of it. */
  eventSchema?(type: string): EventSchema | undefined
}

/** What `create` knows beyond that: a route is compiled by then. */
export interface RouteSite extends Site {
  /**
   * What the route's upstream would be asked, were the exchange to go there as it stands; without the body, what the
   * policies further in decide, and the gateway's own fields. Undefined when a policy ends the route.
   */
  forward?(exchange: Exchange): Forwarded
}

/** A client's request as it would go to an upstream. */
export interface Forwarded extends Pick<UpstreamRequest, 'method' | 'path'> {
  readonly headers: Headers
}

/** A mistake in a policy's options that only its site can show. `path` leads from the options to the value. */
export interface OptionMistake {
  readonly path: readonly (string | number)[]
  readonly message: string
  /** The misspelt name and what it could have meant, for the "did you mean" hint. */
  readonly found?: string
  readonly candidates?: readonly string[]
  /**
   * Leads to the options that make it a mistake, so that it is told whatever is wrong elsewhere; all of them when left
   * out. A misspelt name is one by itself.
   */
  readonly within?: readonly (string | number)[]
}

/** An address a policy hands out, which another route has to answer. */
export interface RouteLink {
  /** Leads from the options to the address. */
  readonly path: readonly (string | number)[]
  readonly address: Template
  /** Name of the policy that must answer a `GET` of it. */
  readonly policy: string
  /** The reference, as in `command.id`, whose value that policy must read from the path. */
  readonly carries: string
}

/** Where messages of a policy go on the broker, each with the option that says so. */
export interface Destination {
  readonly exchange: string
  readonly exchangeOption: string
  readonly routingKey: string
  readonly routingKeyOption: string
}

interface PolicyTraits<Schema extends z.ZodType> {
  /** Folder name, YAML key and metric label at once; kebab-case. */
  readonly name: string
  /** A `z.strictObject` in which every field has a `.describe()`: the type, the check, the default and the reference page. */
  readonly options: Schema
  /** Mistakes that the schema cannot see, such as an unknown upstream. Runs at load, after the schema has accepted. */
  check?(options: z.output<Schema>, site: Site): readonly OptionMistake[]
  /** Roots beyond the request that its templates may read: `response` in `publish`, `command` in `enqueue`, `parts` in `aggregate`. */
  readonly reads?: readonly LocalRoot[]
  /** Request fields only this gateway may set; dropped from every client request on every route. Lower case. */
  reserves?(options: z.output<Schema>): readonly string[]
}

/** Wraps the whole exchange of a route. */
export interface RoutePolicy<Schema extends z.ZodType = z.ZodType> extends PolicyTraits<Schema> {
  readonly at: 'route'
  /** True when it uses `events`, so that outbox and broker are opened only where something is announced. */
  readonly announces?: boolean
  /** True when, given these options, it writes to several services, so that a journal is opened. */
  journals?(options: z.output<Schema>): boolean
  /** Upstreams it calls by itself, given these options; no `Location` in its answers names their addresses. */
  calls?(options: z.output<Schema>): readonly string[]
  /** Where on the broker it publishes to, given these options; the exchange is declared before anything goes there. */
  publishesTo?(options: z.output<Schema>): Destination
  /** Addresses it hands out that other routes must answer, given these options; checked at load. */
  links?(options: z.output<Schema>): readonly RouteLink[]
  /** Values it sets on the exchange. */
  readonly provides?: readonly Key<unknown>[]
  /** Values that, when a policy of the route sets them at all, must be set before this one runs. */
  readonly follows?: readonly Key<unknown>[]
  /** Values an earlier policy must have set, given these options. */
  needs?(options: z.output<Schema>): readonly Key<unknown>[]
  /** True when it answers CORS preflights, so that `OPTIONS` reaches the route although its methods do not list it. */
  readonly preflight?: boolean
  /** True when it always answers itself and never calls `next`, so nothing may follow it. */
  readonly ends?: boolean
  /** Runs once per mount, at load. Everything that can be computed ahead belongs here. */
  create(options: z.output<Schema>, services: Services, site: RouteSite): Middleware<Exchange>
}

/** Wraps every single call to one upstream. */
export interface UpstreamPolicy<Schema extends z.ZodType = z.ZodType> extends PolicyTraits<Schema> {
  readonly at: 'upstream'
  /** True when it picks the version that is called, so that an upstream with versions is complete. */
  readonly choosesVersion?: boolean
  create(options: z.output<Schema>, services: UpstreamServices, site: Site): Middleware<Call>
}

/** A named, schema-checked factory of middleware. */
export type Policy<Schema extends z.ZodType = z.ZodType> = RoutePolicy<Schema> | UpstreamPolicy<Schema>

/** Declares a policy; exists so that `options` types the argument of `create`. */
export function definePolicy<Schema extends z.ZodType>(policy: RoutePolicy<Schema>): RoutePolicy
export function definePolicy<Schema extends z.ZodType>(policy: UpstreamPolicy<Schema>): UpstreamPolicy
export function definePolicy<Schema extends z.ZodType>(policy: Policy<Schema>): Policy {
  // The registry holds policies of every schema; each one's own schema has checked what its `create` receives.
  return Object.freeze(policy) as unknown as Policy
}
