import { z } from 'zod'
import { bytes, duration, headerName, reference } from '../../gateway/config/fields.ts'

export const options = z.strictObject({
  required: z.boolean().default(false).describe('Refuse POST, PUT, PATCH and DELETE without a key'),
  ttl: duration.prefault('24h').describe('How long an answer is kept and repeated'),
  lease: duration
    .prefault('30s')
    .describe('How long a running request keeps its key when its gateway dies; at least what is left of the timeout'),
  'max-body': bytes.prefault('64KiB').describe('Largest response body that is kept'),
  scope: z
    .array(reference)
    .min(1)
    .max(8)
    .prefault(['client.id', 'client.ip'])
    .describe('Whose key it is: the first of these values that is there'),
  'on-store-failure': z
    .enum(['allow', 'deny'])
    .default('deny')
    .describe('While the store cannot be reached: refuse requests with a key, or let them pass unprotected'),
  header: headerName.default('idempotency-key').describe('Request field that holds the key'),
})

export type IdempotencyOptions = z.output<typeof options>
