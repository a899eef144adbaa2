import { LRUCache } from 'lru-cache'

/** Subjects are spread over this many buckets, so one is 0.01 % of them. */
export const BUCKETS = 10_000

/** Longer subjects are hashed every time: a client chooses their length, so remembering them could fill the memory. */
const LONGEST_REMEMBERED = 128
const REMEMBERED_SUBJECTS = 10_000

/**
 * Makes the function that gives each subject its bucket, 0 to 9,999: the first 32 bits of HMAC-SHA-256(seed, subject)
 * modulo 10,000. The same seed and subject give the same bucket on every runtime and at every time.
 */
export function createBuckets(seed: string): (subject: string) => number | Promise<number> {
  const encoder = new TextEncoder()
  const known = new LRUCache<string, number>({ max: REMEMBERED_SUBJECTS })
  let key: CryptoKey | undefined

  const hash = async (subject: string): Promise<number> => {
    // The key is kept, and not the promise of it: on Workers no request may wait for another one's promise.
    key ??= await crypto.subtle.importKey('raw', encoder.encode(seed), { name: 'HMAC', hash: 'SHA-256' }, false, [
      'sign',
    ])
    const digest = await crypto.subtle.sign('HMAC', key, encoder.encode(subject))
    const bucket = new DataView(digest).getUint32(0) % BUCKETS
    if (subject.length <= LONGEST_REMEMBERED) known.set(subject, bucket)
    return bucket
  }

  return (subject) => known.get(subject) ?? hash(subject)
}
