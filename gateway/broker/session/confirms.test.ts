import { describe, expect, test } from 'bun:test'
import { Confirms } from './confirms.ts'

function createScene(count: number) {
  const sent: (string | number | boolean)[][] = []
  const confirms = new Confirms((method, tag, multiple) => sent.push([method.slice('basic.'.length), tag, multiple]))
  confirms.select()
  for (let i = 0; i < count; i += 1) confirms.next()
  return { confirms, sent }
}

describe('confirms', () => {
  const cases = [
    { name: 'several at once when nothing before them is open', accept: [1, 2, 3], sent: [['ack', 3, true]] },
    { name: 'one alone without multiple', accept: [1], sent: [['ack', 1, false]] },
    {
      name: 'what overtakes an open one each for itself',
      accept: [2, 4],
      sent: [
        ['ack', 2, false],
        ['ack', 4, false],
      ],
    },
    {
      name: 'both kinds in one go',
      accept: [4, 2, 1],
      sent: [
        ['ack', 2, true],
        ['ack', 4, false],
      ],
    },
    { name: 'a tag only once', accept: [1, 1], sent: [['ack', 1, false]] },
  ]
  test.each(cases)('tell $name', async ({ accept, sent: expected }) => {
    const { confirms, sent } = createScene(5)
    for (const tag of accept) confirms.accept(tag)
    await Promise.resolve()
    expect(sent).toEqual(expected)
  })

  test('do not let an ack of many cover a refusal that was not told', () => {
    const { confirms, sent } = createScene(3)
    confirms.accept(1)
    confirms.refuse(2)
    confirms.accept(3)
    confirms.flush()
    expect(sent).toEqual([
      ['ack', 1, false],
      ['nack', 2, false],
      ['ack', 3, false],
    ])
  })

  test('are silent after the end of their channel, whose number another may have', async () => {
    const { confirms, sent } = createScene(3)
    confirms.accept(1)
    confirms.end()
    confirms.accept(2)
    confirms.refuse(3)
    await Promise.resolve()
    expect(sent).toEqual([])
  })
})
