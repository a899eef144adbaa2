import type { Context } from 'hono'
import type { z } from 'zod'
import { toResponse } from './problem.ts'

/** Either the checked body, or the 400 to send back. */
export type ReadBody<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly refusal: Response }

/** Reads a JSON body and checks it; the refusal lists every mistake with its path. The body limit is the app's. */
export async function readJson<Schema extends z.ZodType>(
  c: Context,
  schema: Schema,
): Promise<ReadBody<z.output<Schema>>> {
  const refuse = (detail: string): ReadBody<z.output<Schema>> => ({
    ok: false,
    refusal: toResponse({ status: 400, code: 'invalid-body', title: 'The request body is not valid', detail }),
  })
  const text = await c.req.text()
  let body: unknown
  try {
    body = JSON.parse(text)
  } catch {
    return refuse('The body is not JSON: send a JSON object')
  }
  const result = schema.safeParse(body)
  if (result.success) return { ok: true, value: result.data }
  return refuse(result.error.issues.slice(0, 10).map(describeIssue).join('; '))
}

function describeIssue({ path, message }: { path: PropertyKey[]; message: string }): string {
  return path.length === 0 ? message : `${path.map(String).join('.')}: ${message}`
}
