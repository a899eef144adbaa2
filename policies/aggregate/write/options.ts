import { z } from 'zod'
import { expecting, headerName, listOf, pathTemplate, show, template } from '../../../gateway/config/fields.ts'
import { jsonTemplate } from '../plan/json-template.ts'
import { statuses } from '../plan/success.ts'

const queryName = z.string().min(1).max(256)
const queryValue = z.union([template, z.number(), z.boolean()])

const compensation = z.strictObject({
  upstream: z.string().optional().describe("Upstream that undoes it; the part's own"),
  method: z.enum(['POST', 'PUT', 'PATCH', 'DELETE']).default('POST').describe('Method of the call'),
  path: pathTemplate.describe(
    "Path to ask for; reads the request, the part's own reply and what the part itself may read; {write.key} is the write's key",
  ),
  query: z
    .record(queryName, queryValue, expecting('values by name, as in { page: "{query.page}" }'))
    .default({})
    .describe('Parameters added to the path'),
  headers: z
    .record(headerName, template, expecting('values by name, as in { x-shop: main }'))
    .default({})
    .describe('Header fields of the call; an empty one is left out'),
  body: jsonTemplate.optional().describe('JSON body of the call'),
  success: statuses.default(['2xx']).describe('Statuses by which the write is undone, such as [2xx, 404]'),
  'when-unknown': z
    .enum(['ask-again', 'compensate'])
    .default('ask-again')
    .describe('When nobody knows whether the write was done: make it again with its key first, or undo it in any case'),
  'keep-headers': listOf(headerName)
    .max(32)
    .default([])
    .describe('Credentials that both calls need later (authorization, cookie): kept on the disk until all is decided'),
})

/** Options of a part that say whether and how it writes. */
export const partWriting = {
  safe: z.boolean().default(false).describe('Whether a POST changes nothing, as a search does'),
  after: listOf(z.string())
    .min(1)
    .max(32)
    .optional()
    .describe('Parts that must have a reply before this one is asked, beside those it reads; skipped ones count'),
  compensate: z
    .union([z.literal('none'), compensation], {
      error: ({ input }) =>
        `expected the call that undoes it, as in { method: DELETE, path: /bookings/7 }, or "none", found ${show(input)}`,
    })
    .optional()
    .describe('How a write is undone when the composition fails: a call, or "none" when it cannot be'),
}

export type WrittenCompensation = z.output<typeof compensation>
