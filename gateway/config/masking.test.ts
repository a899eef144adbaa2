import { describe, expect, test } from 'bun:test'
import { builtInPolicies } from '../../policies/index.ts'
import { loadConfig } from './load.ts'

const registry = new Map(builtInPolicies.map((policy) => [policy.name, policy]))

function told(text: string, secret: string): string {
  const environment = { variable: (name: string) => (name === 'SECRET' ? secret : undefined), file: () => secret }
  try {
    loadConfig(text, { file: 'a.yaml', registry, environment })
  } catch (error) {
    return String(error)
  }
  return 'no mistake'
}

const LONG = `s3cr3t-${'x'.repeat(200)}`
const route = (policies: string) =>
  `version: 1\nupstreams: { u: { url: http://u.test } }\nroutes: { a: { path: /, upstream: u, policies: ${policies} } }\n`

describe('what came from the environment', () => {
  test.each([
    { name: 'a port', text: `version: 1\nserver:\n  port: \${SECRET}\n${route('[]').slice(11)}`, secret: 'hunter2' },
    {
      name: 'a duration',
      text: `version: 1\nserver: { grace: "\${SECRET}" }\n${route('[]').slice(11)}`,
      secret: 'hunter2',
    },
    {
      name: 'a long duration',
      text: `version: 1\nserver: { grace: "\${SECRET}" }\n${route('[]').slice(11)}`,
      secret: LONG,
    },
    {
      name: 'an upstream',
      text: 'version: 1\nupstreams: { u: { url: "\u0024{SECRET}" } }\nroutes: { a: { path: /, upstream: u } }\n',
      secret: LONG,
    },
    {
      name: 'a template',
      text: route('[{ headers: { request: { set: { authorization: "Bearer \u0024{file:/secret}{" } } } }]'),
      secret: 'hunter2-and-more',
    },
  ])('is not shown in a mistake about $name', ({ text, secret }) => {
    const message = told(text, secret)
    expect(message).toContain('a.yaml:')
    expect(message).not.toContain(secret.slice(0, 7))
    expect(message).toMatch(/\$\{SECRET\}|\$\{file:/)
  })
})
