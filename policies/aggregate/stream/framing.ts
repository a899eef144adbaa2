import { joined } from '../../../gateway/core/gathered.ts'

type Bytes = Uint8Array<ArrayBuffer>

/** How lines are told apart on the wire. */
export interface Framing {
  readonly contentType: string
  /** A part; `count` begins with 1. */
  part(line: Bytes, count: number): Bytes
  end(line: Bytes): Bytes
  /** What readers pass over; left out where the format has nothing of the kind. */
  readonly sign?: Bytes
}

/** One JSON text a line. */
export const LINES: Framing = {
  contentType: 'application/x-ndjson',
  part: (line) => joined([line, text('\n')]),
  end: (line) => joined([line, text('\n')]),
}

/** The id of the last event: who asks again with it has everything. */
export const LAST_EVENT_ID = 'end'

/** Server-sent events (WHATWG HTML §9.2): `part` for each part, then `end`; a comment in between is a sign of life. */
export const EVENTS: Framing = {
  contentType: 'text/event-stream',
  part: (line, count) => joined([text(`event: part\nid: ${count}\ndata: `), line, text('\n\n')]),
  end: (line) => joined([text(`event: end\nid: ${LAST_EVENT_ID}\ndata: `), line, text('\n\n')]),
  sign: text(':\n\n'),
}

function text(characters: string): Bytes {
  return new TextEncoder().encode(characters)
}
