import { z } from 'zod'
import { bytes, duration, pathTemplate, show } from '../../gateway/config/fields.ts'
import { Constant, isJson } from './plan/constant.ts'

/** Letters first, so that a name is a token of structured fields and never an array index, which would change the order. */
const partName = z.string().regex(/^[A-Za-z][A-Za-z0-9_-]{0,63}$/, {
  error: (issue) =>
    `expected a part's name of letters, digits, "-" and "_", beginning with a letter, found ${show(issue.input)}`,
})

const part = z.strictObject({
  upstream: z.string().describe('Upstream to ask, with its policies'),
  path: pathTemplate.describe('Path to ask for; reading parts.<name> makes this part wait for that one'),
  method: z.literal('GET').default('GET').describe('Method of the call; parts only read'),
  required: z.boolean().default(false).describe('Whether there is no answer without this part'),
  fallback: z
    .unknown()
    .refine(isJson, {
      error: 'expected a value JSON can hold: text, a finite number, true, false, null, a list or a mapping',
    })
    .transform((value) => new Constant(value))
    .optional()
    .describe('JSON to put in place of an optional part that failed; without it the part is left out'),
  timeout: duration.optional().describe('Longest time for this part, its body included; what is left of the total'),
  'max-bytes': bytes.prefault('1MiB').describe('Largest reply, counted after decompression'),
})

export const options = z.strictObject({
  timeout: duration
    .optional()
    .describe(
      "Longest time for the whole composition; what is left of the route's timeout, less a little to answer in",
    ),
  parts: z
    .record(partName, part)
    .refine((parts) => Object.keys(parts).length > 0, { error: 'expected at least one part' })
    .describe('The parts of the answer by name, in the order they shall have in it'),
})

export type AggregateOptions = z.output<typeof options>
export type PartOptions = z.output<typeof part>
