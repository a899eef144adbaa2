import { z } from 'zod'
import {
  bytes,
  duration,
  expecting,
  headerName,
  listOf,
  pathTemplate,
  show,
  template,
} from '../../gateway/config/fields.ts'
import { constant } from './plan/constant.ts'
import { batch, forEach } from './plan/for-each.ts'
import { format, mediaType } from './plan/format.ts'
import { jsonTemplate } from './plan/json-template.ts'
import { statuses } from './plan/success.ts'
import { condition } from './plan/when.ts'
import { expression, GIVEN } from './shape/expression.ts'
import { fixedMembers, partShape } from './shape/options.ts'
import { partWriting } from './write/options.ts'

/** Letters first, so that a name is a token of structured fields and never an array index, which would change the order. */
const partName = z.string().regex(/^[A-Za-z][A-Za-z0-9_-]{0,63}$/, {
  error: (issue) =>
    `expected a part's name of letters, digits, "-" and "_", beginning with a letter, found ${show(issue.input)}`,
})

const queryName = z.string().min(1).max(256)
const queryValue = z.union([template, z.number(), z.boolean()])

/** A 401, 407 or 426 would lack the field that tells the client what to do. */
const passedStatus = z
  .int()
  .min(400)
  .max(499)
  .refine((status) => ![401, 407, 426].includes(status), {
    error: 'cannot be passed: it means nothing without fields of the upstream, which stay here',
  })

const PART = '{ upstream: catalog, path: /products }'

const part = z.strictObject(
  {
    upstream: z.string().describe('Upstream to ask, with its policies'),
    method: z
      .enum(['GET', 'POST', 'PUT', 'PATCH', 'DELETE'])
      .default('GET')
      .describe('Method of the call; all but GET may have a body'),
    path: pathTemplate.describe('Path to ask for; reading parts.<name> makes this part wait for that one'),
    query: z
      .record(queryName, queryValue, expecting('values by name, as in { page: "{query.page}" }'))
      .default({})
      .describe('Parameters added to the path; one without a value is left out, a list repeats it'),
    headers: z
      .record(headerName, template, expecting('values by name, as in { x-shop: main }'))
      .default({})
      .describe('Header fields of the call; an empty one is left out'),
    body: jsonTemplate
      .optional()
      .describe(
        'JSON body of the call; a text that is one reference and nothing else keeps the JSON type of the value',
      ),
    ...partWriting,
    when: condition
      .optional()
      .describe(
        'References and what must be true of each; the part is skipped unless all, or one mapping of a list, hold',
      ),
    required: z.boolean().default(false).describe('Whether there is no answer without this part'),
    'pass-status': listOf(passedStatus)
      .min(1)
      .max(32)
      .optional()
      .describe('Statuses of 400 to 499 that, when this required part fails with them, are those of the answer'),
    success: statuses
      .default(['2xx'])
      .describe('Statuses that are a reply, such as [2xx, 404]; 204, 205 and 304 named by themselves stand for null'),
    as: format
      .default('json')
      .describe(
        'How its reply is written; "xml", "text" and "form" become JSON, { xml: { lists: [item] } } says what repeats',
      ),
    'content-type': listOf(mediaType)
      .min(1)
      .max(16)
      .optional()
      .describe('Content types that are accepted instead of those of the format, such as [text/csv]'),
    timeout: duration.optional().describe('Longest time for this part, its body included; what is left of the total'),
    'max-bytes': bytes
      .prefault('1MiB')
      .describe('Largest reply, counted after decompression; with "for-each", all replies together'),
    fallback: constant
      .optional()
      .describe('JSON to put in place of an optional part that failed; without it the part is left out'),
    'fallback-to': z
      .union([z.literal('stale'), z.strictObject({ stale: duration.describe('Age up to which a reply may stand in') })])
      .optional()
      .describe(
        '"stale": the last good reply to the same call stands in, up to an hour old unless { stale: 10m } says else',
      ),
    cache: duration
      .optional()
      .describe(
        'How long a reply is used again for the same call; of the same caller, when the part reads of the caller',
      ),
    'for-each': forEach
      .optional()
      .describe('A list; the part is asked for each {item} of it, and is the list of replies'),
    batch: batch
      .optional()
      .describe('Asks for many items in one call, with {keys}, and joins the reply to them by key'),
    'response-headers': listOf(headerName)
      .min(1)
      .max(64)
      .optional()
      .describe('Fields of the reply that the answer has too, such as [x-total, set-cookie]'),
    ...partShape,
  },
  expecting(`a part, as in ${PART}`),
)

export const options = z.strictObject({
  timeout: duration
    .optional()
    .describe(
      "Longest time for the whole composition; what is left of the route's timeout, less a little to answer in",
    ),
  'wait-for-optional': duration
    .optional()
    .describe('How long optional parts are waited for once no required part is; without it, to the end of the time'),
  concurrency: z
    .int()
    .min(1)
    .max(1_000)
    .default(16)
    .describe('Calls of one request at once; on Workers at most 6. Those that others wait for go first'),
  memory: bytes
    .prefault('16MiB')
    .describe('Most memory for replies kept by "cache" and "fallback-to"; the least recently used go first'),
  'compensate-within': duration
    .prefault('10m')
    .describe('How long it is tried to undo the writes of a composition that failed; then they are parked'),
  'on-conflict': z
    .enum(['error', 'first', 'last'])
    .default('error')
    .describe('When "spread" brings a name twice: the later part fails, or the first or last in the file counts'),
  static: fixedMembers.prefault({}).describe('Members added to the answer as they are'),
  stream: z
    .boolean()
    .default(false)
    .describe('Whether clients that ask for application/x-ndjson or text/event-stream get each part as it comes'),
  etag: z
    .boolean()
    .default(true)
    .describe('Whether complete answers have an ETag, so that a client that has one is not sent it'),
  body: jsonTemplate
    .optional()
    .describe('The whole answer as a template, in place of one key per part; also reads {composition.complete}'),
  transform: expression(GIVEN)
    .optional()
    .describe('JSONata expression that makes the whole answer of the document; also reads $parts and $composition'),
  parts: z
    .record(partName, part, expecting(`the parts by name, as in { products: ${PART} }`))
    .refine((parts) => Object.keys(parts).length > 0, { error: 'expected at least one part' })
    .describe('The parts of the answer by name, in the order they shall have in it'),
})

export type AggregateOptions = z.output<typeof options>
export type PartOptions = z.output<typeof part>
