import { expect, test } from 'bun:test'
import { ReplyMemory } from './memory.ts'

const replyOf = (json: Uint8Array<ArrayBuffer>, fields: Record<string, string> = {}) => ({
  status: 200,
  headers: new Headers(fields),
  json,
  body: {},
})
const asked = { isPersonal: false, nowMs: 0 }
const json = () => new TextEncoder().encode('{}')

test('a reply with long fields takes up as much of the memory as they do', () => {
  const memory = new ReplyMemory(10_000)
  memory.keep('short', replyOf(json()), asked)
  memory.keep('long', replyOf(json(), { 'x-long': 'x'.repeat(4_500) }), asked)
  expect(memory.find('short', 1, 0)).toBeUndefined()
  expect(memory.find('long', 1, 0)?.reply.headers.get('x-long')).toHaveLength(4_500)
  memory.keep('longer', replyOf(json(), { 'x-long': 'x'.repeat(5_000) }), asked)
  expect(memory.find('longer', 1, 0)).toBeUndefined()
})

test('a reply that was a small piece of all that came keeps nothing of the rest', () => {
  const memory = new ReplyMemory(10_000)
  const all = new Uint8Array(65_536)
  all.set(json(), 60_000)
  memory.keep('key', replyOf(all.subarray(60_000, 60_002)), asked)
  const kept = memory.find('key', 1, 0)?.reply.json
  expect(kept).toEqual(json())
  expect(kept?.buffer.byteLength).toBe(2)
})
