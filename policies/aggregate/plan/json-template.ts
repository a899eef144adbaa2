import { z } from 'zod'
import { template } from '../../../gateway/config/fields.ts'
import type { JsonTemplate } from '../../../gateway/core/json-template.ts'

type Json = z.output<ReturnType<typeof z.json>>
type Sink = Pick<z.core.$RefinementCtx, 'addIssue'>

/** JSON with `{references}` in its texts; a text that is one reference and nothing else stands for the value itself. */
export const jsonTemplate = z.json().transform((written, context) => parse(written, [], context))

function parse(written: Json, path: readonly (string | number)[], sink: Sink): JsonTemplate {
  if (typeof written === 'string') return parseText(written, path, sink)
  if (typeof written !== 'object' || written === null) return written
  if (Array.isArray(written)) return written.map((item, i) => parse(item, [...path, i], sink))
  return Object.fromEntries(Object.entries(written).map(([key, value]) => [key, parse(value, [...path, key], sink)]))
}

function parseText(written: string, path: readonly (string | number)[], sink: Sink): JsonTemplate {
  const parsed = template.safeParse(written)
  if (parsed.success) return parsed.data
  for (const { message, ...issue } of parsed.error.issues) {
    const params = 'params' in issue ? issue.params : undefined
    sink.addIssue({ code: 'custom', message, path: [...path], ...(params ? { params } : {}) })
  }
  return null
}
