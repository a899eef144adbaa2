import { loadConfig } from '../../gateway/config/load.ts'
import { ConfigError } from '../../gateway/config/mistake.ts'
import { builtInPolicies } from '../../policies/index.ts'

const registry = new Map(builtInPolicies.map((policy) => [policy.name, policy]))

/** Every mistake of a file as `line:column  path  message`. */
export function mistakesOf(text: string): string[] {
  try {
    loadConfig(text, { file: 'gateway.yaml', registry })
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    return error.message.split('\n').map((line) => line.slice('gateway.yaml:'.length))
  }
  return []
}

/** Sound files with one part left open. */
export const FRAMES = {
  server: (part: string) => `version: 1\nserver: ${part}\nroutes: { a: { path: /, policies: [respond] } }\n`,
  services: (part: string) => `version: 1\nservices: ${part}\nroutes: { a: { path: /, policies: [respond] } }\n`,
  upstream: (part: string) =>
    `version: 1\nupstreams: { main: ${part} }\nroutes: { a: { path: /, policies: [respond] } }\n`,
  route: (part: string) => `version: 1\nupstreams: { main: { url: http://main.test } }\nroutes: { a: ${part} }\n`,
  routePolicies: (part: string) =>
    `version: 1\nupstreams: { main: { url: http://main.test } }\nroutes: { a: { path: /a/:id, upstream: main, policies: ${part} } }\n`,
  upstreamPolicies: (part: string) =>
    `version: 1\nupstreams: { main: { url: http://main.test, policies: ${part} } }\nroutes: { a: { path: /, policies: [respond] } }\n`,
  file: (part: string) => part,
} as const

/** A part of a file and what is told of it. */
export interface MistakeCase {
  readonly in: keyof typeof FRAMES
  readonly text: string
  readonly told: readonly string[]
}
