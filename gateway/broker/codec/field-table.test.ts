import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { DEEPEST_NESTING, type Field, integerOf, readTable, textField, textOf, writeTable } from './field-table.ts'
import { OctetReader } from './octet-reader.ts'
import { OctetWriter } from './octet-writer.ts'

const name = fc.string({ maxLength: 40 })
const whole = (min: number, max: number) => fc.integer({ min, max })
const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })

const field: fc.Arbitrary<Field> = fc.letrec<{ field: Field }>((tie) => ({
  field: fc.oneof(
    { maxDepth: 4, depthIdentifier: 'field' },
    fc.record({ type: fc.constant('t' as const), value: fc.boolean() }),
    fc.record({ type: fc.constant('b' as const), value: whole(-128, 127) }),
    fc.record({ type: fc.constant('B' as const), value: whole(0, 255) }),
    fc.record({ type: fc.constant('s' as const), value: whole(-32_768, 32_767) }),
    fc.record({ type: fc.constant('u' as const), value: whole(0, 65_535) }),
    fc.record({ type: fc.constant('I' as const), value: whole(-(2 ** 31), 2 ** 31 - 1) }),
    fc.record({ type: fc.constant('i' as const), value: whole(0, 2 ** 32 - 1) }),
    fc.record({ type: fc.constantFrom('l' as const, 'L' as const, 'T' as const), value: int64 }),
    fc.record({ type: fc.constant('f' as const), value: fc.float() }),
    fc.record({ type: fc.constant('d' as const), value: fc.double() }),
    fc.record({ type: fc.constant('D' as const), scale: whole(0, 255), value: whole(-(2 ** 31), 2 ** 31 - 1) }),
    fc.record({ type: fc.constantFrom('S' as const, 'x' as const), value: fc.uint8Array({ maxLength: 300 }) }),
    fc.record({ type: fc.constant('A' as const), value: fc.array(tie('field'), { maxLength: 5 }) }),
    fc.record({
      type: fc.constant('F' as const),
      value: fc.array(fc.tuple(name, tie('field')), { maxLength: 5 }).map((entries) => new Map(entries)),
    }),
    fc.record({ type: fc.constant('V' as const) }),
  ),
})).field

function written(table: ReadonlyMap<string, Field>): Uint8Array {
  const writer = new OctetWriter(1)
  writeTable(writer, table)
  return writer.written
}

/** A table in a table in a table. */
function nested(levels: number): Field {
  return levels === 0 ? { type: 'V' } : { type: 'F', value: new Map([['x', nested(levels - 1)]]) }
}

describe('field table', () => {
  test('is the same after writing and reading, types included', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(name, field), { maxLength: 8 }), (entries) => {
        const table = new Map(entries)
        expect(readTable(new OctetReader(written(table)))).toEqual(table)
      }),
    )
  })

  test('reads the octets the specification gives', () => {
    const octets = Uint8Array.of(0, 0, 0, 14, 1, 0x61, 0x49, 0xff, 0xff, 0xff, 0xff, 1, 0x62, 0x74, 1, 1, 0x63, 0x56)
    expect(readTable(new OctetReader(octets))).toEqual(
      new Map<string, Field>([
        ['a', { type: 'I', value: -1 }],
        ['b', { type: 't', value: true }],
        ['c', { type: 'V' }],
      ]),
    )
  })

  test('keeps names that mean something to JavaScript', () => {
    const table = new Map([['__proto__', textField('harmless')]])
    expect(textOf(readTable(new OctetReader(written(table))).get('__proto__'))).toBe('harmless')
  })

  test('takes nesting up to its bound and refuses more with 502', () => {
    const allowed = new Map([['x', nested(DEEPEST_NESTING)]])
    const tooDeep = new Map([['x', nested(DEEPEST_NESTING + 1)]])
    expect(readTable(new OctetReader(written(allowed)))).toEqual(allowed)
    expect(() => readTable(new OctetReader(written(tooDeep)))).toThrow('SYNTAX_ERROR')
  })

  const malformed = [
    { name: 'an unknown type', octets: [0, 0, 0, 3, 1, 0x61, 0x3f] },
    { name: 'a length beyond the frame', octets: [0, 0, 1, 0, 1, 0x61, 0x56] },
    { name: 'a value cut off', octets: [0, 0, 0, 4, 1, 0x61, 0x49, 0] },
    { name: 'a string longer than its table', octets: [0, 0, 0, 7, 1, 0x61, 0x53, 0, 0, 0, 9] },
    { name: 'a name that is no UTF-8', octets: [0, 0, 0, 3, 1, 0xff, 0x56] },
  ]
  test.each(malformed)('refuses $name with 502', ({ octets }) => {
    expect(() => readTable(new OctetReader(Uint8Array.from(octets)))).toThrow('SYNTAX_ERROR')
  })

  test('reads whole numbers of any width as numbers, and nothing else', () => {
    expect(integerOf({ type: 'l', value: 5n })).toBe(5)
    expect(integerOf({ type: 'B', value: 5 })).toBe(5)
    expect(integerOf({ type: 'd', value: 5.5 })).toBeUndefined()
    expect(integerOf({ type: 'T', value: 5n })).toBeUndefined()
    expect(integerOf(undefined)).toBeUndefined()
  })
})
