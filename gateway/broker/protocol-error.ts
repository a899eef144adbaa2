const REPLY_NAMES = {
  312: 'NO_ROUTE',
  320: 'CONNECTION_FORCED',
  403: 'ACCESS_REFUSED',
  404: 'NOT_FOUND',
  405: 'RESOURCE_LOCKED',
  406: 'PRECONDITION_FAILED',
  501: 'FRAME_ERROR',
  502: 'SYNTAX_ERROR',
  503: 'COMMAND_INVALID',
  504: 'CHANNEL_ERROR',
  505: 'UNEXPECTED_FRAME',
  506: 'RESOURCE_ERROR',
  530: 'NOT_ALLOWED',
  540: 'NOT_IMPLEMENTED',
  541: 'INTERNAL_ERROR',
} as const

export type ReplyCode = keyof typeof REPLY_NAMES

const LONGEST_REPLY_TEXT = 255

/** A refusal the client is told of: 4xx codes close the channel, 5xx and 320 the whole connection (AMQP 0-9-1, 1.8). */
export class ProtocolError extends Error {
  readonly code: ReplyCode

  constructor(code: ReplyCode, text: string) {
    super(`${REPLY_NAMES[code]} - ${text}`)
    this.name = 'ProtocolError'
    this.code = code
  }

  /** Whether only the channel must close. */
  get closesChannelOnly(): boolean {
    return this.code >= 400 && this.code < 500
  }

  /** The message, shortened to the 255 octets of a reply text; characters outside ASCII become question marks. */
  get replyText(): string {
    return this.message.replace(/[^\x20-\x7e]/g, '?').slice(0, LONGEST_REPLY_TEXT)
  }
}
