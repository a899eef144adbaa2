/** Replies that are no HTTP/1.1, each with a document that would be a part if it were read. */

export interface MalformedReply {
  readonly name: string
  readonly bytes: string
}

const BODY = '{"n":9}'
const LENGTH = `Content-Length: ${BODY.length}`
const TYPE = 'Content-Type: application/json'
const CHUNKED = 'Transfer-Encoding: chunked'

/** A reply with one line, or all of it, as given. */
const withLine = (line: string) => `HTTP/1.1 200 OK\r\n${TYPE}\r\n${line}\r\n${LENGTH}\r\n\r\n${BODY}`
const withStart = (line: string) => `${line}\r\n${TYPE}\r\n${LENGTH}\r\n\r\n${BODY}`
const inChunks = (chunks: string, field = CHUNKED) => `HTTP/1.1 200 OK\r\n${TYPE}\r\n${field}\r\n\r\n${chunks}`

export const malformedReplies: readonly MalformedReply[] = [
  { name: 'a misspelt protocol', bytes: withStart('HTP/1.1 200 OK') },
  { name: 'a protocol in small letters', bytes: withStart('http/1.1 200 OK') },
  { name: 'a version of three digits', bytes: withStart('HTTP/01.1 200 OK') },
  { name: 'a long major version', bytes: withStart('HTTP/11.1 200 OK') },
  { name: 'a long minor version', bytes: withStart('HTTP/1.01 200 OK') },
  { name: 'a version with a space in it', bytes: withStart('HTTP/1. 1 200 OK') },
  { name: 'a tab after the version', bytes: withStart('HTTP/1.1\t200 OK') },
  { name: 'a status of two digits', bytes: withStart('HTTP/1.1 20 OK') },
  { name: 'a status of four digits', bytes: withStart('HTTP/1.1 2000 OK') },
  { name: 'a status with a letter', bytes: withStart('HTTP/1.1 2x0 OK') },
  { name: 'no status', bytes: withStart('HTTP/1.1 OK') },
  { name: 'a request', bytes: withStart('POST / HTTP/1.1') },
  { name: 'a space before the colon', bytes: withLine('X-Own : 1') },
  { name: 'a field without a name', bytes: withLine(': 1') },
  { name: 'a field without a colon', bytes: withLine('X-Own') },
  { name: 'a space in a name', bytes: withLine('X Own: 1') },
  { name: 'a NUL in a value', bytes: withLine('X-Own: a\0b') },
  { name: 'a bare CR in a value', bytes: withLine('X-Own: a\rb') },
  { name: 'a folded line', bytes: withLine('X-Own: a\r\n b') },
  { name: 'two lengths', bytes: withLine('Content-Length: 3') },
  { name: 'a length with a sign', bytes: `HTTP/1.1 200 OK\r\n${TYPE}\r\nContent-Length: +7\r\n\r\n${BODY}` },
  { name: 'a length in hexadecimal', bytes: `HTTP/1.1 200 OK\r\n${TYPE}\r\nContent-Length: 0x7\r\n\r\n${BODY}` },
  { name: 'a length with a letter', bytes: `HTTP/1.1 200 OK\r\n${TYPE}\r\nContent-Length: 7a\r\n\r\n${BODY}` },
  {
    name: 'a length beyond all numbers',
    bytes: `HTTP/1.1 200 OK\r\n${TYPE}\r\nContent-Length: 99999999999999999999\r\n\r\n${BODY}`,
  },
  { name: 'a length and chunks', bytes: inChunks(`7\r\n${BODY}\r\n0\r\n\r\n`, `${LENGTH}\r\n${CHUNKED}`) },
  {
    name: 'a coding after chunked',
    bytes: inChunks(`7\r\n${BODY}\r\n0\r\n\r\n`, 'Transfer-Encoding: chunked, deflate'),
  },
  { name: 'an unknown coding', bytes: inChunks(`7\r\n${BODY}\r\n0\r\n\r\n`, 'Transfer-Encoding: xchunked') },
  { name: 'a chunk size that is none', bytes: inChunks(`z\r\n${BODY}\r\n0\r\n\r\n`) },
  { name: 'a negative chunk size', bytes: inChunks(`-7\r\n${BODY}\r\n0\r\n\r\n`) },
  { name: 'a chunk size beyond all numbers', bytes: inChunks(`fffffffffffffffff7\r\n${BODY}\r\n0\r\n\r\n`) },
  { name: 'a chunk without its end', bytes: inChunks(`7\r\n${BODY}0\r\n\r\n`) },
  { name: 'a chunk longer than its size', bytes: inChunks(`6\r\n${BODY}\r\n0\r\n\r\n`) },
  { name: 'a body without its last chunk', bytes: inChunks(`7\r\n${BODY}\r\n`) },
  { name: 'lines that end in LF alone', bytes: `HTTP/1.1 200 OK\n${TYPE}\n${LENGTH}\n\n${BODY}` },
  { name: 'an empty chunk extension', bytes: inChunks(`7;\r\n${BODY}\r\n0\r\n\r\n`) },
]
