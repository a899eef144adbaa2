import { writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** How many parts the pages have. */
export const FAN_OUTS = [4, 20] as const

/** Writes the gateway's configuration: a page for each fan-out, all parts of one upstream without policies. */
export function writeConfig(folder: string, upstreamPort: number): string {
  const file = join(folder, 'gateway.yaml')
  const routes = FAN_OUTS.map((count) => {
    const parts = Array.from(
      { length: count },
      (_, i) => `            part-${i + 1}: { upstream: shop, path: "/part/${i + 1}", required: true }`,
    )
    return `  page-${count}:
    path: /page/${count}
    methods: [GET]
    policies:
      - aggregate:
          concurrency: 32
          parts:
${parts.join('\n')}
`
  })
  writeFileSync(
    file,
    `version: 1
services: { store: "memory:", outbox: "memory:" }
upstreams: { shop: { url: "http://127.0.0.1:${upstreamPort}", concurrency: 4096 } }
routes:
${routes.join('')}`,
  )
  return file
}
