import { MalformedReply } from './malformed-reply.ts'
import { ReplyReader } from './reply-reader.ts'

/** What a reader made of a reply, and of what came after it. */
export interface RecordedReply {
  readonly status: number | undefined
  readonly fields: readonly (readonly [string, string])[]
  readonly body: string
  readonly isWhole: boolean
  /** There was more than the reply. */
  readonly isMore: boolean
  readonly refusal: string | undefined
}

/** Feeds these pieces, then the end of the connection, as a connection would: nothing after the reply or a refusal. */
export function readPieces(pieces: readonly Buffer[], method = 'GET'): RecordedReply {
  let status: number | undefined
  let fields: [string, string][] = []
  let body = ''
  let ends = 0
  let isMore = false
  const reader = new ReplyReader({
    head(head) {
      status = head.status
      fields = [...head.fields]
    },
    body: (data) => (body += Buffer.from(data).toString('latin1')),
    end: () => ends++,
  })
  reader.expect(method)
  try {
    for (const piece of pieces) isMore ||= reader.push(piece)
    reader.close()
  } catch (error) {
    if (!(error instanceof MalformedReply)) throw error
    return { status, fields, body, isWhole: ends > 0, isMore, refusal: error.message }
  }
  if (ends > 1) throw new Error('The reader told the end twice')
  return { status, fields, body, isWhole: ends > 0, isMore, refusal: undefined }
}
