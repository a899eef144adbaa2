/**
 * The public API: load a configuration, compile it, and give it requests.
 *
 * @example
 * ```ts
 * import { createGateway, loadConfig } from 'sluice-gateway'
 *
 * const registry = new Map(policies.map((policy) => [policy.name, policy]))
 * const plan = loadConfig(text, { file: 'gateway.yaml', registry })
 * const gateway = createGateway(plan, { services, transport })
 * const response = await gateway.fetch(request, { ip: '192.0.2.1' })
 * ```
 */
export { loadConfig } from './config/load.ts'
export { ConfigError } from './config/mistake.ts'
export type { Plan } from './config/plan.ts'
export { GatewayError } from './core/errors.ts'
export type { Call, Exchange } from './core/exchange.ts'
export { createKey, principal } from './core/keys.ts'
export { definePolicy, type Policy } from './core/policy.ts'
export { type Receiver, tellOutcome } from './core/receiver.ts'
export type { Services } from './core/services.ts'
export { Stop, type StopListener, type StopSource } from './core/stop.ts'
export { type Connection, createGateway, type Gateway } from './gateway.ts'
export { fromHono, toHono } from './hono.ts'
export type { Transport } from './upstream/transport.ts'
