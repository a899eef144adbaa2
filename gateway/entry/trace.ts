import type { Trace } from '../core/exchange.ts'

const TRACEPARENT = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?$/
const MAX_TRACESTATE = 8_192

/** Continues the client's W3C Trace Context with a span of our own, or starts a new trace when there is none or it is invalid. */
export function readTrace(headers: Headers, random: () => number): Trace {
  const given = headers.get('traceparent')
  const match = given === null ? null : TRACEPARENT.exec(given)
  if (match) {
    const [, version, traceId = '', parentId, flags] = match
    const isKnown = version !== '00' || given?.length === 55
    if (version !== 'ff' && isKnown && !/^0+$/.test(traceId) && parentId !== '0000000000000000') {
      const tracestate = headers.get('tracestate')
      return {
        traceparent: `00-${traceId}-${hex(16, random)}-${flags}`,
        tracestate: tracestate !== null && tracestate.length <= MAX_TRACESTATE ? tracestate : undefined,
      }
    }
  }
  return { traceparent: `00-${hex(32, random)}-${hex(16, random)}-01`, tracestate: undefined }
}

/** Lower-case hex digits, never all zero. */
function hex(digits: number, random: () => number): string {
  let text = ''
  while (text.length < digits) {
    text += Math.floor(random() * 0x1_0000_0000)
      .toString(16)
      .padStart(8, '0')
  }
  return /^0+$/.test(text) ? text.replace(/0$/, '1') : text
}
