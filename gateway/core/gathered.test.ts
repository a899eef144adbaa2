import { expect, test } from 'bun:test'
import { collect } from './body.ts'
import { Gathered } from './gathered.ts'

const chunksOf = (count: number) => Array.from({ length: count }, (_, i) => new Uint8Array(i % 3).fill(i))
const bytesOf = (chunks: readonly Uint8Array[]) => chunks.flatMap((chunk) => [...chunk])

for (const count of [0, 1, 255, 256, 257, 513, 2_000]) {
  test(`${count} chunks are all there, in order`, () => {
    const gathered = new Gathered()
    for (const chunk of chunksOf(count)) gathered.add(chunk)
    const sent = bytesOf(chunksOf(count))
    expect([...gathered.whole()]).toEqual(sent)
    expect(bytesOf(gathered.parts())).toEqual(sent)
    expect(gathered.size).toBe(sent.length)
  })
}

test('a body in chunks of one byte becomes a few arrays', () => {
  const gathered = new Gathered()
  for (let i = 0; i < 100_000; i++) gathered.add(Uint8Array.of(i))
  expect(gathered.parts().length).toBeLessThan(100_000 / 256 + 256)
})

test('a stream of one-byte chunks is collected whole, and not over its limit', async () => {
  const bytes = (count: number) =>
    new ReadableStream<Uint8Array>({
      start(controller) {
        for (let i = 0; i < count; i++) controller.enqueue(Uint8Array.of(i))
        controller.close()
      },
    })
  const tooLarge = () => new RangeError('too large')
  const all = await collect(bytes(1_000), 1_000, tooLarge)
  expect([...all]).toEqual(Array.from({ length: 1_000 }, (_, i) => i % 256))
  await expect(collect(bytes(1_001), 1_000, tooLarge)).rejects.toThrow('too large')
})
