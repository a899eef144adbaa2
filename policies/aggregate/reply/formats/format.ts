import type { Shown } from '../../outcome.ts'
import type { WrittenFormat } from '../../plan/format.ts'
import type { MediaType } from '../media-type.ts'
import { formFormat } from './form.ts'
import { jsonFormat } from './json.ts'
import { textFormat } from './text.ts'
import { createXmlFormat } from './xml.ts'

/** How replies of one format are read. */
export interface Format {
  /** Whether a media type, in lower case, is one of this format. */
  accepts(name: string): boolean
  /** Throws `PartFailure` for bytes that are not of this format. */
  read(bytes: Uint8Array<ArrayBuffer>, type: MediaType): Shown
}

/** Compiles what was written; `types` are accepted instead of the format's own. */
export function compileFormat(as: WrittenFormat, types: readonly string[] | undefined): Format {
  const found = typeof as === 'object' ? createXmlFormat(as.xml.lists) : FORMATS[as]
  if (!types) return found
  const accepted = new Set(types)
  return { accepts: (name) => accepted.has(name), read: found.read }
}

const FORMATS = { json: jsonFormat, xml: createXmlFormat([]), text: textFormat, form: formFormat } as const
