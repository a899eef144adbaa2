import type { EventSchema } from '../core/event-schema.ts'
import type { Policy, Site } from '../core/policy.ts'
import type { Template } from '../core/template.ts'
import type { Topology } from '../core/topology.ts'
import type { RoutePath } from '../routing/route-path.ts'
import type { Mistake } from './mistake.ts'
import type { ConfigFile } from './schema.ts'

/** A configuration that has been checked whole: every name resolved, every option parsed. Nothing in it can fail later. */
export interface Plan {
  readonly server: ConfigFile['server']
  readonly services: ConfigFile['services']
  readonly upstreams: readonly UpstreamPlan[]
  readonly routes: readonly RoutePlan[]
  /** True when a route announces events or the file names a topology, so that an outbox and a broker are needed. */
  readonly announces: boolean
  /** True when a route writes to several services, so that a journal is needed. */
  readonly journals: boolean
  /** What the broker must have. */
  readonly topology: Topology
  /** What is no mistake and yet may not be meant. */
  readonly notices: readonly Mistake[]
  /** Request fields that only the gateway may set; dropped from every client request. Lower case. */
  readonly reserved: readonly string[]
  /** What the data of an event type must look like, when there is a schema of it. */
  eventSchema(type: string): EventSchema | undefined
}

/** A policy at its place, with parsed options. */
export interface Mount {
  readonly policy: Policy
  readonly options: unknown
  /** Where the options stand in the file. */
  readonly optionsPath: readonly (string | number)[]
  readonly site: Site
  /** True when an option refers to `body`, so that the JSON body is read beforehand. */
  readonly readsBody: boolean
}

export interface TargetPlan {
  readonly url: string
  readonly weight: number
}

export interface VersionPlan {
  /** Undefined when the upstream has no versions. */
  readonly name: string | undefined
  readonly targets: readonly TargetPlan[]
}

export interface UpstreamPlan {
  readonly name: string
  readonly versions: readonly VersionPlan[]
  readonly balance: ConfigFile['upstreams'][string]['balance']
  /** Most calls waiting for a response's head at once. */
  readonly concurrency: number
  readonly websocket: boolean
  readonly preserveHost: boolean
  /** Whether clients get the gateway's address where a reply's `Location` names a target. */
  readonly rewriteLocation: boolean
  readonly mounts: readonly Mount[]
}

export interface RoutePlan {
  readonly name: string
  readonly path: RoutePath
  readonly methods: readonly string[] | undefined
  readonly mounts: readonly Mount[]
  /** Undefined when the last policy ends the chain. */
  readonly upstream: { readonly name: string; readonly path: Template | undefined } | undefined
  readonly timeoutMs: number
  readonly bodyLimit: number
}
