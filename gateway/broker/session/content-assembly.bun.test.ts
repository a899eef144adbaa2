import { expect, test } from 'bun:test'
import { Budget } from '../budget.ts'
import { DEFAULT_LIMITS } from '../limits.ts'
import { ContentAssembly } from './content-assembly.ts'

const PUBLISH = { exchange: 'x', routingKey: 'k', mandatory: false, immediate: false }

/** The content header of class basic: no weight, so long a body, no properties. */
function headerFor(bodyBytes: number): Uint8Array {
  const header = new DataView(new ArrayBuffer(14))
  header.setUint16(0, 60)
  header.setBigUint64(4, BigInt(bodyBytes))
  return new Uint8Array(header.buffer)
}

function begin(bodyBytes: number): ContentAssembly {
  const assembly = new ContentAssembly(PUBLISH, new Budget(DEFAULT_LIMITS.memoryBytes), DEFAULT_LIMITS)
  expect(assembly.header(headerFor(bodyBytes))).toBeUndefined()
  return assembly
}

/** One buffer for all frames, as a socket's may be. */
const frame = new Uint8Array(1)

test('a message in frames of one octet takes up what is reserved for it, and arrives whole', () => {
  const octets = 200_000
  const assembly = begin(octets)
  Bun.gc(true)
  const before = process.memoryUsage().heapUsed
  for (let i = 0; i < octets - 1; i++) {
    frame[0] = i
    expect(assembly.body(frame)).toBeUndefined()
  }
  Bun.gc(true)
  expect(process.memoryUsage().heapUsed - before).toBeLessThan(octets * 10)
  frame[0] = octets - 1
  const arrival = assembly.body(frame)
  if (typeof arrival !== 'object') throw new TypeError('It has not arrived')
  expect(arrival.message.body).toEqual(Uint8Array.from({ length: octets }, (_, i) => i))
})

test('a message in one frame does not change with the buffer it came in', () => {
  frame[0] = 7
  const arrival = begin(1).body(frame)
  frame[0] = 8
  expect(arrival).toMatchObject({ message: { body: Uint8Array.of(7) } })
})
