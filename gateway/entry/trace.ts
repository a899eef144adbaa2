import type { Trace } from '../core/exchange.ts'

/** What a client said about its trace; undefined where it said nothing. */
export interface GivenTrace {
  readonly traceparent: string | undefined
  readonly tracestate: string | undefined
}

const TRACEPARENT = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?$/
const MAX_TRACESTATE = 8_192

/** Continues the client's W3C Trace Context with a span of our own, or starts a new trace when there is none or it is invalid. */
export function readTrace({ traceparent, tracestate }: GivenTrace, random: () => number): Trace {
  const match = traceparent === undefined ? null : TRACEPARENT.exec(traceparent)
  if (match) {
    const [, version, traceId = '', parentId, flags] = match
    const isKnown = version !== '00' || traceparent?.length === 55
    if (version !== 'ff' && isKnown && !/^0+$/.test(traceId) && parentId !== '0000000000000000') {
      return {
        traceparent: `00-${traceId}-${goOn(random).slice(SPAN_AT, SPAN_END)}-${flags}`,
        tracestate: tracestate !== undefined && tracestate.length <= MAX_TRACESTATE ? tracestate : undefined,
      }
    }
  }
  return { traceparent: begin(random), tracestate: undefined }
}

const NEW_TRACE = `00-${'0'.repeat(32)}-${'0'.repeat(16)}-01`
const TRACE_AT = 3
const TRACE_END = 35
const SPAN_AT = 36
const SPAN_END = 52

/** Written over for each trace: strings put together of pieces would be most of what a short request leaves behind. */
const letters = new TextEncoder().encode(NEW_TRACE)
const ASCII = new TextDecoder()

/** The first span of a new trace. */
function begin(random: () => number): string {
  writeId(TRACE_AT, TRACE_END, random)
  return goOn(random)
}

/** A new span of the trace that is written there. */
function goOn(random: () => number): string {
  writeId(SPAN_AT, SPAN_END, random)
  return ASCII.decode(letters)
}

/** Lower-case hex digits, never all zero. */
function writeId(start: number, end: number, random: () => number): void {
  let any = 0
  for (let at = start; at < end; at += DIGITS_OF_A_DRAW) {
    const draw = (random() * 0x1_0000_0000) | 0
    any |= draw
    for (let i = 0; i < DIGITS_OF_A_DRAW; i++) letters[at + i] = HEX[(draw >>> (28 - 4 * i)) & 0xf] ?? ZERO
  }
  if (any === 0) letters[end - 1] = ZERO + 1
}

const DIGITS_OF_A_DRAW = 8
const HEX = new TextEncoder().encode('0123456789abcdef')
const ZERO = 0x30
