import { describe, expect, test } from 'bun:test'
import { constants, deflateRawSync } from 'node:zlib'
import { compositionOf, JSON_TYPE, openPage } from './test-page.ts'

const MiB = 1_048_576
const GZIP_HEADER = new Uint8Array([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff])

/** Just under 1 MiB that inflates to some 800 MiB: the same flushed block again and again. */
function bomb(): Uint8Array<ArrayBuffer> {
  const block = deflateRawSync(new Uint8Array(65_536), { finishFlush: constants.Z_SYNC_FLUSH })
  const count = Math.floor((MiB - GZIP_HEADER.byteLength) / block.byteLength)
  const bytes = new Uint8Array(GZIP_HEADER.byteLength + count * block.byteLength)
  bytes.set(GZIP_HEADER)
  for (let i = 0; i < count; i++) bytes.set(block, GZIP_HEADER.byteLength + i * block.byteLength)
  return bytes
}

describe('a gzip bomb', () => {
  test('is not inflated beyond the limit', async () => {
    const body = bomb()
    const page = await openPage({
      parts: { a: {}, b: {} },
      answers: { a: () => new Response(body, { headers: { ...JSON_TYPE, 'content-encoding': 'gzip' } }), b: {} },
    })
    Bun.gc(true)
    const before = process.memoryUsage().rss
    const response = await page.fetch()
    const grown = process.memoryUsage().rss - before
    expect(compositionOf(response).parts.a).toEqual({ failed: true, error: 'too-large' })
    expect(grown).toBeLessThan(64 * MiB)
  })
})
