import { z } from 'zod'
import { parseReference, type Reference, ReferenceMistake } from '../core/reference.ts'
import { parseTemplate, type Template } from '../core/template.ts'

/** Option fields whose units stand in the value. Code only ever sees the parsed form: milliseconds, bytes, shares. */

const DURATION_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }
const SIZE_BYTES: Readonly<Record<string, number>> = {
  B: 1,
  kB: 1_000,
  MB: 1_000_000,
  GB: 1_000_000_000,
  KiB: 1_024,
  MiB: 1_048_576,
  GiB: 1_073_741_824,
}

/** A length of time such as `800ms`, `10s`, `1m`, `1.5h`, `7d`; milliseconds once parsed. Zero is refused. */
export const duration = quantity(DURATION_MS, 'a duration with its unit, such as "800ms", "10s" or "1m"')

/** A size such as `64KiB`, `1MiB`, `5MB`; bytes once parsed. Zero is refused. */
export const bytes = quantity(SIZE_BYTES, 'a size with its unit, such as "64KiB" or "1MiB"')

function quantity(units: Readonly<Record<string, number>>, expected: string) {
  const pattern = new RegExp(`^(\\d{1,12}(?:\\.\\d{1,6})?)(${Object.keys(units).join('|')})$`)
  return z
    .string({ error: (issue) => `expected ${expected}, found ${show(issue.input)}` })
    .regex(pattern, { error: (issue) => `expected ${expected}, found ${show(issue.input)}`, abort: true })
    .transform((text, context) => {
      const [, amount = '', unit = ''] = pattern.exec(text) ?? []
      const value = Math.round(Number(amount) * (units[unit] ?? Number.NaN))
      if (value >= 1 && Number.isSafeInteger(value)) return value
      context.addIssue({ code: 'custom', message: `expected ${expected}, greater than zero, found ${show(text)}` })
      return z.NEVER
    })
}

/** A share such as `50%` or `0.25%`; a number in 0..1 once parsed. */
export const percent = z
  .string({ error: (issue) => `expected a percentage such as "50%", found ${show(issue.input)}` })
  .regex(/^\d{1,3}(?:\.\d{1,4})?%$/, {
    error: (issue) => `expected a percentage such as "50%", found ${show(issue.input)}`,
    abort: true,
  })
  .transform((text, context) => {
    const share = Number(text.slice(0, -1)) / 100
    if (share <= 1) return share
    context.addIssue({ code: 'custom', message: `expected a percentage of at most "100%", found "${text}"` })
    return z.NEVER
  })

/** A value to look up per request, such as `claims.sub` or `client.ip`; a `Reference` once parsed. */
export const reference = z
  .string({ error: (issue) => `expected a reference such as "client.ip", found ${show(issue.input)}` })
  .max(256, tooLong(256))
  .transform((text, context): Reference => parsed(text, parseReference, context))

/** Text with `{references}`; a `Template` once parsed. */
export const template = z
  .string({ error: (issue) => `expected text, found ${show(issue.input)}` })
  .max(8_192, tooLong(8_192))
  .transform((text, context): Template => parsed(text, parseTemplate, context))

/** A path (with an optional query) with `{references}`; begins with one slash. */
export const pathTemplate = z
  .string({ error: (issue) => `expected a path, found ${show(issue.input)}` })
  .max(8_192, tooLong(8_192))
  .regex(/^\/(?!\/)[^\s\\#]*$/, {
    error: (issue) =>
      `expected a path that begins with one "/" and has no spaces, "#" or "\\", found ${show(issue.input)}`,
    abort: true,
  })
  .transform((text, context): Template => parsed(text, parseTemplate, context))

/** A name as AMQP 0-9-1 carries it, its length in one byte: an exchange, a queue, a routing key, a type. */
export function shortText(params?: Parameters<typeof z.string>[0]) {
  return z
    .string(params)
    .min(1)
    .refine((text) => new TextEncoder().encode(text).byteLength <= 255, {
      error: 'is longer than the 255 bytes that AMQP carries',
    })
}

/** For texts whose own error speaks of their form. */
export function tooLong(characters: number) {
  return { error: `is longer than ${characters} characters`, abort: true }
}

/** Values that need no quotes in a list of YAML. */
const PLAIN_VALUES = /^[\w./+-]+(?:, *[\w./+-]+)*$/

/**
 * A list. Who writes one value without brackets, or several with commas, is shown the list that was meant; so not for
 * secrets.
 */
export function listOf<Element extends z.ZodType>(element: Element) {
  return z.array(element, {
    error: ({ code, input }) => {
      if (code !== 'invalid_type' || input === undefined) return undefined
      const isPlain = typeof input === 'number' || (typeof input === 'string' && PLAIN_VALUES.test(input))
      return `expected a list${isPlain ? ` as in [${input}]` : ''}, found ${show(input)}`
    },
  })
}

/** For mappings: what was expected, with an example, where something else is written. A text is not shown: it may be a secret. */
export function expecting(mapping: string): { error: (issue: z.core.$ZodRawIssue) => string | undefined } {
  return {
    error: ({ code, input }) =>
      code === 'invalid_type' && input !== undefined
        ? `expected ${mapping}, found ${typeof input === 'string' ? 'text' : show(input)}`
        : undefined,
  }
}

interface IssueSink {
  addIssue(issue: { code: 'custom'; message: string; params?: Record<string, unknown> }): void
}

function parsed<T>(text: string, parse: (text: string) => T, context: IssueSink): T {
  try {
    return parse(text)
  } catch (error) {
    if (!(error instanceof ReferenceMistake)) throw error
    const { message, found, candidates, advice } = error
    context.addIssue({ code: 'custom', message, params: { found, candidates, advice } })
    return z.NEVER
  }
}

/** An HTTP header field name (RFC 9110 §5.1), in lower case. */
export const headerName = z
  .string()
  .max(128, tooLong(128))
  .regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/, {
    error: (issue) => `expected a header name such as "x-user-id", found ${show(issue.input)}`,
    abort: true,
  })
  .transform((name) => name.toLowerCase())

/**
 * How a value is shown in messages: short, on one line. Lists and mappings are named but not shown, and what stands
 * before an "@" in an address is left out, because either may hold a secret.
 */
export function show(value: unknown): string {
  if (value === undefined || value === null) return 'nothing'
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list'
  if (typeof value === 'object') {
    const keys = Object.keys(value)
    return keys.length === 0
      ? 'an empty mapping'
      : `a mapping with ${shorten(keys.map((key) => `"${key}"`).join(', '))}`
  }
  if (typeof value !== 'string') return String(value)
  return shorten(JSON.stringify(value.replace(/\/\/.*@/s, '//…@')))
}

/** A length of time as a file would say it: `400ms`, `9.9s`, `1m`. */
export function showDuration(ms: number): string {
  if (ms < 1_000) return `${ms}ms`
  const exact = Object.entries(DURATION_MS).findLast(([, length]) => length > 1 && ms % length === 0)
  const [unit, length] = exact ?? ['s', 1_000]
  return `${ms / length}${unit}`
}

function shorten(text: string): string {
  return text.length > 60 ? `${text.slice(0, 57)}…` : text
}

export { refuseHost } from './url.ts'
