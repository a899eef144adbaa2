import { describe, expect, test } from 'bun:test'
import { type GivenTrace, readTrace } from './trace.ts'

const TRACE = '0af7651916cd43dd8448eb211c80319c'
const SPAN = 'b7ad6b7169203331'

function read({ traceparent, tracestate }: Partial<GivenTrace>, random = Math.random) {
  return readTrace({ traceparent, tracestate }, random)
}

describe('a trace', () => {
  test('is continued with a span of our own, flags kept', () => {
    const { traceparent, tracestate } = read({ traceparent: `00-${TRACE}-${SPAN}-00`, tracestate: 'a=1,b=2' })
    expect(traceparent).toMatch(new RegExp(`^00-${TRACE}-[0-9a-f]{16}-00$`))
    expect(traceparent).not.toContain(SPAN)
    expect(tracestate).toBe('a=1,b=2')
  })

  test('of a later version is continued in ours', () => {
    expect(read({ traceparent: `01-${TRACE}-${SPAN}-01-more` }).traceparent).toMatch(new RegExp(`^00-${TRACE}-`))
  })

  const invalid = [
    '', 'nonsense', `00-${TRACE}-${SPAN}`, `00-${TRACE}-${SPAN}-01-more`, `ff-${TRACE}-${SPAN}-01`, `00-${'0'.repeat(32)}-${SPAN}-01`, `00-${TRACE}-${'0'.repeat(16)}-01`,
    `00-${TRACE.toUpperCase()}-${SPAN}-01`, `00-${TRACE}-${SPAN}-01, 00-${TRACE}-${SPAN}-01`,
  ] // biome-ignore format: a list to be read across
  for (const traceparent of invalid) {
    test(`is begun anew, without its state, when it is invalid: ${JSON.stringify(traceparent)}`, () => {
      const begun = read({ traceparent, tracestate: 'a=1' })
      expect(begun.traceparent).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/)
      expect(begun.traceparent).not.toContain(TRACE)
      expect(begun.tracestate).toBeUndefined()
    })
  }

  test('loses a state that is too long, and goes on', () => {
    const { traceparent, tracestate } = read({ traceparent: `00-${TRACE}-${SPAN}-01`, tracestate: 'a'.repeat(9_000) })
    expect(traceparent).toContain(TRACE)
    expect(tracestate).toBeUndefined()
  })

  test('never has an id of zeros', () => {
    expect(read({}, () => 0).traceparent).toBe(`00-${'0'.repeat(31)}1-${'0'.repeat(15)}1-01`)
  })

  test('writes every digit of what chance draws', () => {
    const draws = [0x0123_4567, 0x89ab_cdef, 0xfedc_ba98, 0x7654_3210, 0x0000_00ff, 0xffff_ff00]
    const random = () => (draws.shift() ?? 0) / 0x1_0000_0000
    expect(read({}, random).traceparent).toBe('00-0123456789abcdeffedcba9876543210-000000ffffffff00-01')
  })
})
