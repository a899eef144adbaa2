/** Changes a response's header fields, in place where the runtime allows it; fetched responses are immutable on some. */
export function editResponse(response: Response, edit: (headers: Headers) => void): Response {
  try {
    edit(response.headers)
    return response
  } catch {
    const copy = new Response(response.body, response)
    edit(copy.headers)
    return copy
  }
}
