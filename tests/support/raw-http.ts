/** Both ends of a connection without an HTTP library between: what a test sends and sees is what is on the wire. */
export {
  parseReplies,
  type RawChunk,
  type RawReply,
  type RawRequestOptions,
  rawRequest,
  rawText,
} from './raw-client.ts'
export { type RawScript, type RawSeen, type RawStep, type RawUpstream, rawUpstream } from './raw-upstream.ts'
