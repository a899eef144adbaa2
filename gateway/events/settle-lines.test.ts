import { describe, expect, test } from 'bun:test'
import type { OutboxEntry } from './outbox.ts'
import { createSettleLines } from './settle-lines.ts'

function openLines() {
  const atWork = new Map<string, () => void>()
  let room = 0
  const lines = createSettleLines({
    work: ({ id }) => new Promise((resolve) => atWork.set(id, resolve)),
    onRoom: () => room++,
  })
  return {
    lines,
    atWork,
    room: () => room,
    /** Whether it is in hand then. */
    add(upstream: string, id: string): boolean {
      lines.add(upstream, entryOf(id))
      return lines.inHand.ids.has(id)
    },
    async end(...ids: string[]): Promise<void> {
      for (const id of ids) {
        atWork.get(id)?.()
        atWork.delete(id)
      }
      // As many turns as promises need to settle.
      for (let i = 0; i < 10; i++) await undefined
    },
  }
}

function entryOf(id: string): OutboxEntry {
  return { id, state: 'unknown', draft: { route: 'r', method: 'POST', path: '/' }, intendedAtMs: 0, attempts: 0 }
}

describe('the lines of entries that are asked about', () => {
  test('work at four of each upstream, and at the next when one is done', async () => {
    const { add, atWork, end } = openLines()
    for (let i = 0; i < 6; i++) add('slow', `s${i}`)
    add('quick', 'q0')
    expect([...atWork.keys()]).toEqual(['s0', 's1', 's2', 's3', 'q0'])
    await end('s1')
    expect([...atWork.keys()]).toEqual(['s0', 's2', 's3', 'q0', 's4'])
  })

  test('have no more of one upstream in hand than they tell, and say when there is room again', async () => {
    const { lines, add, atWork, end, room } = openLines()
    for (let i = 0; i < 31; i++) expect(add('slow', `s${i}`)).toBe(true)
    expect([...lines.inHand.upstreams]).toEqual([])
    expect([add('slow', 's31'), add('slow', 's32'), add('quick', 'q0')]).toEqual([true, false, true])
    expect(lines.inHand).toMatchObject({ upstreams: new Set(['slow']) })
    expect(lines.inHand.ids.size).toBe(33)
    for (let i = 0; i < 28; i++) await end(`s${i}`)
    expect([room(), lines.inHand.ids.size]).toEqual([0, 5])
    await end('s28')
    expect([room(), [...lines.inHand.upstreams]]).toEqual([1, []])
    expect(add('slow', 's32')).toBe(true)
    expect([...atWork.keys()].sort()).toEqual(['q0', 's29', 's30', 's31', 's32'])
  })

  test('end when nothing is in hand any more', async () => {
    const { lines, add, end } = openLines()
    add('a', 'a')
    let isOver = false
    const ended = lines.ended().then(() => {
      isOver = true
    })
    await end()
    expect(isOver).toBe(false)
    await end('a')
    await ended
    expect([...lines.inHand.ids]).toEqual([])
  })
})
