import { describe, expect, test } from 'bun:test'
import { createBuckets } from './bucket.ts'

const GOLDEN = [
  { seed: 'pricing', subject: 'alice', bucket: 3208 },
  { seed: 'pricing', subject: 'bob', bucket: 1795 },
  { seed: 'pricing', subject: '192.0.2.1', bucket: 4233 },
  { seed: 'pricing-2026', subject: 'alice', bucket: 1816 },
  { seed: 'pricing', subject: 'Zoë 東京', bucket: 3710 },
  { seed: 'pricing', subject: '', bucket: 3678 },
  { seed: 's'.repeat(100), subject: 'alice', bucket: 3880 },
]

describe('createBuckets', () => {
  // Worked out apart from this code: int(hmac.new(seed, subject, 'sha256').hexdigest()[:8], 16) % 10000 in Python.
  test.each(GOLDEN)(
    'gives "$subject" under "$seed" the bucket $bucket, on every runtime',
    async ({ seed, subject, bucket }) => {
      expect(await createBuckets(seed)(subject)).toBe(bucket)
    },
  )

  test('gives the same bucket again, from memory or not', async () => {
    const bucketOf = createBuckets('pricing')
    const long = 'x'.repeat(1_000)
    for (const subject of ['alice', long]) {
      const first = await bucketOf(subject)
      for (let i = 0; i < 1_000; i++) expect(await bucketOf(subject)).toBe(first)
    }
  })

  test('remembers short subjects only, since the client chooses their length', async () => {
    const bucketOf = createBuckets('pricing')
    const long = 'x'.repeat(1_000)
    await Promise.all([bucketOf('alice'), bucketOf(long)])
    expect(typeof bucketOf('alice')).toBe('number')
    expect(bucketOf(long)).toBeInstanceOf(Promise)
  })

  test('spreads subjects evenly, and anew for every seed', async () => {
    const [one, other] = [createBuckets('one'), createBuckets('other')]
    const subjects = Array.from({ length: 5_000 }, (_, i) => `user-${i}`)
    const buckets = await Promise.all(
      subjects.map(async (subject) => [await one(subject), await other(subject)] as const),
    )
    const share = (count: number) => count / subjects.length
    const low = (bucket: number) => bucket < 2_000
    expect(share(buckets.filter(([a]) => low(a)).length)).toBeCloseTo(0.2, 1)
    expect(share(buckets.filter(([a, b]) => low(a) && low(b)).length)).toBeCloseTo(0.04, 1)
  })
})
