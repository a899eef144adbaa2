import { collect } from '../../gateway/core/body.ts'
import { noteWhole, wholeBody } from '../../gateway/core/read-reply.ts'
import { parseReply, replyTooLarge, UnreadableReply } from '../../gateway/core/reply-body.ts'
import { unlessAborted } from '../../gateway/core/unless-aborted.ts'

/** The response to pass on, its body unread, and what the gateway could read of it. */
export type ReadReply =
  | { readonly response: Response; readonly body: unknown }
  | { readonly response: Response; readonly failure: string }

/**
 * Reads the JSON body of a response, at most `maxBytes` of it, and gives back a response with the very same bytes. A
 * body that is too large, broken off, or not JSON is passed on all the same; `failure` then says what is wrong.
 */
export async function readReply(response: Response, maxBytes: number, signal: AbortSignal): Promise<ReadReply> {
  // Bytes that are there need no stream: the client gets the response untouched.
  const there = wholeBody(response)
  if (there !== undefined) return withBody(response, there, maxBytes)
  if (!response.body) return { response, body: undefined }
  const [forClient, forEvent] = response.body.tee()
  let bytes: Uint8Array<ArrayBuffer>
  try {
    bytes = await unlessAborted(signal, collect(forEvent, maxBytes, replyTooLarge))
  } catch (error) {
    const failure = error instanceof UnreadableReply ? error.message : 'the response body broke off'
    return { response: new Response(forClient, response), failure }
  }
  forClient.cancel().catch(() => {})
  return withBody(noteWhole(new Response(bytes, response), bytes), bytes, maxBytes)
}

async function withBody(response: Response, bytes: Uint8Array<ArrayBuffer>, maxBytes: number): Promise<ReadReply> {
  try {
    if (bytes.length > maxBytes) throw replyTooLarge(maxBytes)
    return { response, body: await parseReply(bytes, response.headers, maxBytes) }
  } catch (error) {
    return { response, failure: error instanceof Error ? error.message : String(error) }
  }
}
