import { decode, toShown } from './decode.ts'
import type { Format } from './format.ts'

/** Plain text, which becomes one JSON string; in UTF-8 unless the content type names another charset. */
export const textFormat: Format = {
  accepts: (name) => name === 'text/plain',
  read: (bytes, { charset = 'utf-8' }) => toShown(decode(bytes, charset)),
}
