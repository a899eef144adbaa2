import { z } from 'zod'
import { expecting, listOf } from '../../../gateway/config/fields.ts'
import { constant } from '../plan/constant.ts'
import { dottedPath } from '../plan/dotted-path.ts'
import { expression } from './expression.ts'

const paths = listOf(dottedPath).min(1).max(256)

const rename = z
  .record(
    z.string().min(1).max(256),
    z.string().min(1).max(256),
    expecting('new names by old ones, as in { meta.sku: id }'),
  )
  .refine((names) => Object.keys(names).length > 0, { error: 'expected at least one name' })

/** What of a part's reply stands in the answer, and where. */
export const partShape = {
  take: dottedPath
    .optional()
    .describe('Where in the reply the value is that stands in the answer, as in "data.items"; the reply itself'),
  pick: paths.optional().describe('Names to keep, dotted for inner ones; of a list, those of each entry'),
  omit: paths.optional().describe('Names to leave out, dotted for inner ones; of a list, those of each entry'),
  rename: rename.optional().describe('New names by old ones, dotted for inner ones, as in { meta.sku: id }'),
  transform: expression([])
    .optional()
    .describe('JSONata expression that makes of the reply, so shaped, what stands in the answer'),
  spread: z.boolean().default(false).describe('Whether its members stand in the answer themselves, without its name'),
  group: z
    .string()
    .regex(/^[A-Za-z][A-Za-z0-9_-]{0,63}$/, {
      error: 'expected a name of letters, digits, "-" and "_", beginning with a letter',
    })
    .optional()
    .describe('Name of an object of the answer that this part stands in, with the others of that group'),
  hidden: z.boolean().default(false).describe('Whether it is left out of the answer, as an input of others alone'),
}

const members = z.record(z.string().min(1).max(256), constant, expecting('members by name, as in { version: 1 }'))

/** Members that are added to the answer as they are. */
export const fixedMembers = z.strictObject(
  {
    always: members.default({}).describe('Members of every answer'),
    complete: members.default({}).describe('Members of an answer in which nothing is missing or replaced'),
    incomplete: members.default({}).describe('Members of an answer in which something is missing or replaced'),
  },
  expecting('members for each kind of answer, as in { always: { version: 1 } }'),
)

export type FixedMembers = z.output<typeof fixedMembers>
