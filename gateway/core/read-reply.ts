/** What a transport leaves at a reply that it has read and checked itself. */
const known = Symbol('read by the transport')

interface ReadReply extends Response {
  [known]?: { readonly body: Uint8Array<ArrayBuffer> | undefined }
}

/**
 * Notes that a reply is checked and free of the fields of its connection, and the body when that is there already, so that
 * nobody needs a stream to read it. The response keeps a body of its own: whoever does not know of this loses nothing, and
 * a response made of it has none of this.
 */
export function markRead(response: Response, body?: Uint8Array<ArrayBuffer>): Response {
  const reply: ReadReply = response
  reply[known] = { body }
  return reply
}

/** Whether the transport has checked the reply. */
export function wasRead(response: Response): boolean {
  return (response as ReadReply)[known] !== undefined
}

/** The body, as it was sent; undefined when it is not known to be there. Nobody may change the bytes. */
export function wholeBody(response: Response): Uint8Array<ArrayBuffer> | undefined {
  return (response as ReadReply)[known]?.body
}
