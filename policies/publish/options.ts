import { z } from 'zod'
import { bytes, duration, headerName, pathTemplate, template } from '../../gateway/config/fields.ts'
import type { OptionMistake, Site } from '../../gateway/core/policy.ts'

/** AMQP 0-9-1 carries names in one length byte. */
const shortText = z.string().min(1).max(255)

export const options = z.strictObject({
  type: shortText.describe('Type of the event, such as "order.placed"'),
  exchange: shortText.describe('Exchange of the broker the event goes to'),
  'routing-key': shortText.optional().describe('Routing key of the message; the type when left out'),
  source: shortText.optional().describe('Source of the event; urn:sluice:route:<route> when left out'),
  subject: template
    .optional()
    .describe('What the event is about, such as "{response.body.id}"; events of one subject keep their order'),
  data: template
    .prefault('{response.body}')
    .describe('Data of the event; one reference and nothing else keeps its JSON type'),
  'max-body': bytes.prefault('256KiB').describe('Largest response body that is read to build the event'),
  settle: z
    .enum(['replay', 'probe', 'park'])
    .default('replay')
    .describe(
      'How an unknown outcome is settled: replay sends the request again with its Idempotency-Key, which the upstream must honour; probe asks whether it took effect; park leaves it to an operator',
    ),
  'settle-within': duration
    .prefault('10m')
    .describe('How long after the request it may be settled; keep it shorter than the upstream remembers a key'),
  probe: pathTemplate
    .optional()
    .describe('Where settle: probe asks with GET, such as "/orders/by-key/{headers.idempotency-key}"'),
  'settle-max-body': bytes
    .prefault('64KiB')
    .describe('Largest request body kept to be sent again; the unknown outcome of a larger one is parked'),
  'settle-headers': z
    .array(headerName)
    .max(16)
    .default([])
    .describe('Further request fields to keep and send when settling; they are written to disk, credentials too'),
})

export type PublishOptions = z.output<typeof options>

/** The gateway sets these itself for every call. */
const OWN_FIELDS: ReadonlySet<string> = new Set([
  ...['host', 'content-length', 'connection', 'transfer-encoding', 'via', 'forwarded'],
  ...['x-request-id', 'traceparent', 'tracestate', 'accept-encoding'],
])

/** Options that contradict each other, or the place they stand at. */
export function contradictions(given: PublishOptions, site: Site): OptionMistake[] {
  const { settle, probe, type } = given
  const mistakes: OptionMistake[] = []
  if (settle === 'probe' && !probe) {
    const message = 'probe needs the path to ask at: add probe: "/orders/by-key/{headers.idempotency-key}"'
    mistakes.push({ path: ['settle'], message })
  }
  if (settle !== 'probe' && probe) {
    mistakes.push({ path: ['probe'], message: 'has no effect without settle: probe: add that, or leave it out' })
  }
  for (const { root, source } of probe?.references ?? []) {
    if (root !== 'response') continue
    mistakes.push({
      path: ['probe'],
      message: `"${source}" has no value here: it is asked because there is no response`,
    })
  }
  const isRoute = site.params !== undefined
  if (settle !== 'park' && isRoute && site.upstream === undefined) {
    const message = `${settle} asks the upstream of the route, and this one has none: write settle: park`
    mistakes.push({ path: ['settle'], message })
  }
  for (const [i, name] of given['settle-headers'].entries()) {
    if (!OWN_FIELDS.has(name)) continue
    mistakes.push({
      path: ['settle-headers', i],
      message: `the gateway sets "${name}" itself for every call: leave it out`,
    })
  }
  const wrong = site.eventSchema?.(type)?.mistake
  if (wrong !== undefined) mistakes.push({ path: ['type'], message: wrong })
  return mistakes
}
