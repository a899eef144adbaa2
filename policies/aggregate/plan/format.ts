import { z } from 'zod'
import { listOf } from '../../../gateway/config/fields.ts'

const elementName = z
  .string()
  .max(256)
  .regex(/^[^\s<>&"'=/@#]+$/, { error: 'expected the name of an element as the reply has it, as in "ns:item"' })

/** How a reply is written. */
export const format = z.union([
  z.enum(['json', 'xml', 'text', 'form']),
  z.strictObject({
    xml: z
      .strictObject({
        lists: listOf(elementName)
          .min(1)
          .max(100)
          .describe('Elements that are always a list, also when there is only one of them'),
      })
      .describe('XML, and what is to be known of it'),
  }),
])

export type WrittenFormat = z.output<typeof format>

/** A media type without parameters, in lower case. */
export const mediaType = z
  .string()
  .max(256)
  .regex(/^[\w!#$&^.+-]+\/[\w!#$&^.+-]+$/, { error: 'expected a media type without parameters, as in "text/csv"' })
  .toLowerCase()

/** What a part asks for (RFC 9110 §12.5.1) unless it says otherwise. */
export function acceptedTypes(as: WrittenFormat, types: readonly string[] | undefined): string {
  return types?.join(', ') ?? ACCEPT[typeof as === 'object' ? 'xml' : as]
}

const ACCEPT = {
  json: 'application/json',
  xml: 'application/xml, text/xml;q=0.9',
  text: 'text/plain',
  form: 'application/x-www-form-urlencoded',
} as const
