/** What went wrong with a request: a stable code, a status and a sentence that says how to mend it. */
export interface Problem {
  readonly status: number
  readonly code: string
  readonly title: string
  readonly detail: string
}

/** Renders a problem as `application/problem+json` (RFC 9457). */
export function toResponse({ status, code, title, detail }: Problem): Response {
  return new Response(JSON.stringify({ type: `urn:shop:problem:${code}`, title, status, detail }), {
    status,
    headers: { 'content-type': 'application/problem+json' },
  })
}

/** A 404 for one missing thing, e.g. `notFound('product', 'MUG-999')`. */
export function notFound(thing: string, id: string): Response {
  return toResponse({
    status: 404,
    code: `${thing}-not-found`,
    title: `There is no such ${thing}`,
    detail: `No ${thing} has the id "${id.slice(0, 80)}"`,
  })
}
