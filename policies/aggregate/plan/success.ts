import { z } from 'zod'
import { listOf } from '../../../gateway/config/fields.ts'

const CLASS = /^[2-5]xx$/

const expected = { error: 'expected a status such as 404, or a class of them such as "2xx"' }
const pattern = z.union(
  [z.int(expected).min(200, expected).max(599, expected), z.string().regex(CLASS, expected)],
  expected,
)

/** Statuses such as `[2xx, 404]`. */
export const statuses = listOf(pattern).min(1).max(32)

/** What of an upstream counts as a reply. */
export interface Success {
  /** True for a status that is no failure. */
  includes(status: number): boolean
  /** True for a status that has no body and was named by itself: it stands for null. */
  isEmpty(status: number): boolean
}

const BODILESS: ReadonlySet<number> = new Set([204, 205, 304])

/** True for a status that never has a body (RFC 9110 §6.4.1). */
export function isBodiless(status: number): boolean {
  return BODILESS.has(status)
}

/** Compiles the statuses that are a success. */
export function compileSuccess(written: z.output<typeof statuses>): Success {
  const named = new Set(written.filter((status) => typeof status === 'number'))
  const classes = new Set(written.filter((status) => typeof status === 'string').map((text) => Number(text[0])))
  return {
    includes: (status) => named.has(status) || classes.has(Math.floor(status / 100)),
    isEmpty: (status) => isBodiless(status) && named.has(status),
  }
}
