import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { elementsOf, joinElements, membersOf } from './slices.ts'

const bytes = (text: string) => new TextEncoder().encode(text)
const texts = (all: readonly Uint8Array[]) => all.map((each) => new TextDecoder().decode(each))

describe('the texts within a JSON text', () => {
  test('are those of its elements, as they stand there', () => {
    const json = '[ 1.10 ,"a\\"],", {"x":[1 , 2]}\n,[],true, "\\\\" ,null ]'
    expect(texts(elementsOf(bytes(json)))).toEqual([
      '1.10',
      '"a\\"],"',
      '{"x":[1 , 2]}',
      '[]',
      'true',
      '"\\\\"',
      'null',
    ])
    expect(elementsOf(bytes('[ ]'))).toEqual([])
  })

  test('are those of its members, the last of equal ones', () => {
    const members = membersOf(bytes('{ "a" : 1e2 , "b":{"a":[ ]} , "\\u0061":-0 }'))
    expect([...members].map(([key, value]) => [key, texts([value])[0]])).toEqual([
      ['a', '-0'],
      ['b', '{"a":[ ]}'],
    ])
    expect(membersOf(bytes('{}')).size).toBe(0)
  })

  test('mean what they mean within the whole, whatever the spaces', () => {
    fc.assert(
      fc.property(fc.array(fc.jsonValue()), fc.constantFrom(0, 1, '\t', ' \n'), (values, space) => {
        const list = JSON.stringify(values, null, space)
        expect(texts(elementsOf(bytes(list))).map((text) => JSON.parse(text))).toEqual(JSON.parse(list))
        expect(JSON.parse(texts([joinElements(elementsOf(bytes(list)))])[0] ?? '')).toEqual(JSON.parse(list))
        const mapping = JSON.stringify(Object.fromEntries(values.map((value, i) => [`"${i}\\`, value])), null, space)
        const members = membersOf(bytes(mapping))
        const parsed = Object.entries(JSON.parse(mapping) as object)
        expect([...members].map(([key, value]) => [key, JSON.parse(texts([value])[0] ?? '')])).toEqual(parsed)
      }),
    )
  })
})
