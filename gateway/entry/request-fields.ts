/** What the door reads of every request, found in the one pass that counts all fields. Undefined: not sent. */
export class RequestFields {
  count = 0
  /** Bytes of the section as HTTP/1.1 writes it. */
  size = 0
  host: string | undefined
  connection: string | undefined
  contentLength: string | undefined
  transferEncoding: string | undefined
  expect: string | undefined
  userAgent: string | undefined
  traceparent: string | undefined
  tracestate: string | undefined

  constructor(headers: Headers) {
    headers.forEach(take, this)
  }
}

/** `: ` and CRLF. */
const LINE_OVERHEAD = 4

/** Of the fields that are sent several times the value is all of theirs, as `Headers` joins them. */
function take(this: RequestFields, value: string, name: string): void {
  this.count++
  this.size += name.length + value.length + LINE_OVERHEAD
  switch (name) {
    case 'host':
      this.host = value
      break
    case 'connection':
      this.connection = value
      break
    case 'content-length':
      this.contentLength = value
      break
    case 'transfer-encoding':
      this.transferEncoding = value
      break
    case 'expect':
      this.expect = value
      break
    case 'user-agent':
      this.userAgent = value
      break
    case 'traceparent':
      this.traceparent = value
      break
    case 'tracestate':
      this.tracestate = value
      break
  }
}
