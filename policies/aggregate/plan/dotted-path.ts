import { z } from 'zod'

/** Where in a document a value is, such as `data.items`; the names once parsed. */
export const dottedPath = z
  .string()
  .max(256)
  .regex(/^[^\s{}.]+(?:\.[^\s{}.]+)*$/, { error: 'expected a name, or dotted names as in "data.items"' })
  .transform((text) => text.split('.'))
