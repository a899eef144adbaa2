import { z } from 'zod'
import { headerName } from '../../gateway/config/fields.ts'
import type { OptionMistake } from '../../gateway/core/policy.ts'

const hash = z
  .string({ error: 'expected "sha256:" and 64 hex digits' })
  .regex(/^sha256:[0-9a-f]{64}$/i, {
    error: 'expected "sha256:" and 64 hex digits; make it with: printf %s "$KEY" | sha256sum',
  })
  .transform((text) => text.toLowerCase())

const MOMENT = 'expected a date such as "2027-01-31" or "2027-01-31T12:00:00Z"'
const moment = z
  .string({ error: MOMENT })
  .regex(/^\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,3})?)?(?:Z|[+-]\d{2}:\d{2}))?$/, {
    error: MOMENT,
    abort: true,
  })
  .transform((text) => Date.parse(text))
  .refine((at) => !Number.isNaN(at), { error: MOMENT })

const keyWithExpiry = z.strictObject({
  hash: hash.describe('SHA-256 of the key, as "sha256:<64 hex digits>"'),
  expires: moment.optional().describe('When it stops working: a date (midnight UTC) or a date and time'),
})

const key = z
  .union([hash, keyWithExpiry], {
    error: 'expected "sha256:<64 hex digits>" (printf %s "$KEY" | sha256sum), or { hash, expires }',
  })
  .transform((value) => (typeof value === 'string' ? { hash: value } : value))

const client = z.strictObject({
  keys: z.array(key).min(1).max(100).describe('Hashes of its keys; several while one is being replaced'),
  claims: z.record(z.string().min(1), z.json()).default({}).describe('Facts later policies read as claims.<name>'),
})

const clientName = z.string().regex(/^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,126}[A-Za-z0-9])?$/, {
  error: 'expected a client name such as "partner-a"',
})

const realm = z.string().regex(/^[\x20\x21\x23-\x5b\x5d-\x7e]{1,128}$/, {
  error: 'expected plain text without quotes or backslashes',
})

/** Options of the `api-key` policy. */
export const options = z.strictObject({
  header: headerName.optional().describe('Header field that holds the key; x-api-key unless "query" is given'),
  query: z
    .string()
    .min(1)
    .max(128)
    .optional()
    .describe('Query parameter that holds the key; keys in URLs end in histories and logs, so prefer the header'),
  clients: z.record(clientName, client).describe('The callers by name, each with the hashes of its keys'),
  'client-header': headerName
    .optional()
    .describe('Header field in which the upstream is told the client’s name; clients cannot set it'),
  forward: z.boolean().default(false).describe('Send the key on to the upstream; otherwise it ends here'),
  optional: z.boolean().default(false).describe('Let requests without a key pass, with no caller established'),
  realm: realm.default('sluice').describe('Realm named in WWW-Authenticate'),
})

export type ApiKeyOptions = z.output<typeof options>

/** SHA-256 of no bytes at all: what the recipe gives when the variable is not set. */
const EMPTY = 'sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'

/** Mistakes between keys that no single field shows. */
export function checkOptions({ clients }: ApiKeyOptions): OptionMistake[] {
  if (Object.keys(clients).length === 0) return [{ path: ['clients'], message: 'expected at least one client' }]
  const owners = new Map<string, string>()
  return Object.entries(clients).flatMap(([name, { keys }]) =>
    keys.flatMap(({ hash }, index) => {
      const path = ['clients', name, 'keys', index]
      const owner = owners.get(hash)
      owners.set(hash, name)
      if (hash === EMPTY) return [{ path, message: 'this is the hash of an empty key: was the variable set?' }]
      return owner === undefined ? [] : [{ path, message: `this key already belongs to "${owner}"` }]
    }),
  )
}
