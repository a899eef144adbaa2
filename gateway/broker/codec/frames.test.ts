import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import type { FieldTable } from './field-table.ts'
import { contentFrames, FrameReader, LARGEST_FRAME_BYTES, methodFrame, readContentHeader } from './frames.ts'
import { readMethod, writeMethod } from './method-codec.ts'
import { METHODS, type MethodArguments, type MethodName, type WireType } from './methods.ts'
import { OctetWriter } from './octet-writer.ts'
import { type BasicProperties, readProperties, writeProperties } from './properties.ts'

const shortString = fc.string({ maxLength: 60 })
const VALUES: Record<WireType, fc.Arbitrary<unknown>> = {
  bit: fc.boolean(),
  octet: fc.integer({ min: 0, max: 255 }),
  short: fc.integer({ min: 0, max: 65_535 }),
  long: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
  longlong: fc.maxSafeNat(),
  shortString,
  longString: fc.uint8Array({ maxLength: 500 }),
  table: fc.constant<FieldTable>(new Map([['key', { type: 'I', value: 7 }]])),
}

function argumentsOf(name: MethodName): fc.Arbitrary<MethodArguments<MethodName>> {
  const shape = Object.entries<WireType>(METHODS[name].arguments).filter(([key]) => !key.startsWith('reserved'))
  return fc.record(Object.fromEntries(shape.map(([key, type]) => [key, VALUES[type]]))) as never
}

const properties = fc.record(
  {
    contentType: shortString,
    headers: VALUES.table as fc.Arbitrary<FieldTable>,
    deliveryMode: fc.constantFrom(1, 2),
    priority: fc.integer({ min: 0, max: 255 }),
    correlationId: shortString,
    expiration: fc.constantFrom('', '0', '5000'),
    timestamp: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
    userId: shortString,
    clusterId: shortString,
  },
  { requiredKeys: [] },
)

function frameOf(kind: number, size: number, ...rest: number[]): Uint8Array {
  return Uint8Array.of(kind, 0, 1, size >>> 24, (size >>> 16) & 255, (size >>> 8) & 255, size & 255, ...rest)
}

function readAll(reader: FrameReader) {
  const frames: { kind: string; channel: number; payload: number[] }[] = []
  for (let frame = reader.next(); frame !== undefined; frame = reader.next()) {
    frames.push({ ...frame, payload: [...frame.payload] })
  }
  return frames
}

describe('methods', () => {
  test.each((Object.keys(METHODS) as MethodName[]).map((name) => ({ name })))(
    'are the same after writing and reading: $name',
    ({ name }) => {
      fc.assert(
        fc.property(argumentsOf(name), (values) => {
          const writer = new OctetWriter(1)
          writeMethod(writer, name, values)
          expect(readMethod(writer.written)).toEqual({ name, arguments: values } as never)
        }),
        { numRuns: 30 },
      )
    },
  )

  test('are written as the specification lays them out', () => {
    const frame = methodFrame(3, 'basic.nack', { deliveryTag: 258, multiple: false, requeue: true })
    expect([...frame]).toEqual([1, 0, 3, 0, 0, 0, 13, 0, 60, 0, 120, 0, 0, 0, 0, 0, 0, 1, 2, 2, 0xce])
  })

  test('are refused with 540 when nobody knows them', () => {
    expect(() => readMethod(Uint8Array.of(0, 90, 0, 10))).toThrow('NOT_IMPLEMENTED')
  })

  test('are refused with 502 when they are cut off', () => {
    expect(() => readMethod(Uint8Array.of(0, 60, 0, 80, 0, 0))).toThrow('SYNTAX_ERROR')
  })
})

describe('properties', () => {
  test('are the same after writing and reading', () => {
    fc.assert(
      fc.property(properties, (given) => {
        expect(readProperties(writeProperties(given as BasicProperties))).toEqual(given as BasicProperties)
      }),
    )
  })

  const malformed = [
    { name: 'flags that do not exist', octets: [0x00, 0x01] },
    { name: 'a value cut off', octets: [0x80, 0x00, 5, 0x61] },
    { name: 'octets left over', octets: [0x00, 0x00, 7] },
  ]
  test.each(malformed)('refuse $name with 502', ({ octets }) => {
    expect(() => readProperties(Uint8Array.from(octets))).toThrow('SYNTAX_ERROR')
  })
})

describe('frame reader', () => {
  test('gives the same frames however the octets are cut', () => {
    const stream = [
      ...methodFrame(1, 'channel.open', {}),
      ...contentFrames(
        { channel: 7, largestFrameBytes: 4_096 },
        'basic.return',
        { replyCode: 312, replyText: 'NO_ROUTE', exchange: 'x', routingKey: 'k' },
        { properties: writeProperties({ messageId: 'm' }), body: new Uint8Array(9_000).fill(0xce) },
      ),
    ]
    const whole = new FrameReader()
    whole.push(Uint8Array.from(stream))
    const expected = readAll(whole)
    expect(expected.map(({ kind }) => kind)).toEqual(['method', 'method', 'header', 'body', 'body', 'body'])
    expect(expected.map(({ payload }) => payload.length).slice(3)).toEqual([4_088, 4_088, 824])

    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 3_000 }), { minLength: 1 }), (cuts) => {
        const reader = new FrameReader()
        const frames: unknown[] = []
        for (let start = 0, i = 0; start < stream.length; i += 1) {
          const end = start + (cuts[i % cuts.length] ?? 1)
          reader.push(Uint8Array.from(stream.slice(start, end)))
          frames.push(...readAll(reader))
          start = end
        }
        expect(frames).toEqual(expected)
        expect(reader.pendingBytes).toBe(0)
      }),
      { numRuns: 40 },
    )
  })

  test('refuses a frame that is too large by its announcement alone', () => {
    const reader = new FrameReader()
    reader.push(frameOf(3, LARGEST_FRAME_BYTES - 7))
    expect(() => reader.next()).toThrow('FRAME_ERROR')
    const allowed = new FrameReader()
    allowed.push(frameOf(3, LARGEST_FRAME_BYTES - 8))
    expect(allowed.next()).toBeUndefined()
  })

  const malformed = [
    { name: 'an unknown frame type', octets: frameOf(4, 0, 0xce) },
    { name: 'a frame without its end', octets: frameOf(1, 1, 0, 0xcd) },
  ]
  test.each(malformed)('refuses $name with 501', ({ octets }) => {
    const reader = new FrameReader()
    reader.push(octets)
    expect(() => reader.next()).toThrow('FRAME_ERROR')
  })

  test('refuses the content header of another class', () => {
    expect(() => readContentHeader(new Uint8Array(14))).toThrow('UNEXPECTED_FRAME')
  })
})
