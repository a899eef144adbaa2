/** What an upstream sent is no HTTP/1.1 reply to this request; the message says why, in an operator's words. */
export class MalformedReply extends Error {
  override readonly name = 'MalformedReply'
}
