import { describe, expect, test } from 'bun:test'
import { parseStoreAddress } from './store-address.ts'

describe('the address of the store', () => {
  test.each([
    { text: 'memory:', kind: 'memory' },
    { text: 'sqlite:.data/store.db', kind: 'sqlite', path: '.data/store.db' },
    { text: 'sqlite:/var/lib/a b#c%20.db', kind: 'sqlite', path: '/var/lib/a b#c%20.db' },
    { text: 'redis://h:6379', kind: 'redis', url: 'redis://h:6379', prefix: 'sluice' },
    { text: 'redis://h:6379/', kind: 'redis', url: 'redis://h:6379/', prefix: 'sluice' },
    { text: 'redis://h:6379/15', kind: 'redis', url: 'redis://h:6379/15', prefix: 'sluice' },
    { text: 'redis://h?prefix=shop-prod', kind: 'redis', url: 'redis://h', prefix: 'shop-prod' },
    { text: 'rediss://u:p@h:1/2?prefix=a.b_C-9', kind: 'redis', url: 'rediss://u:p@h:1/2', prefix: 'a.b_C-9' },
    { text: 'upstash:', kind: 'upstash', prefix: 'sluice' },
    { text: 'upstash:?prefix=shop-prod', kind: 'upstash', prefix: 'shop-prod' },
  ])('is read: $text', ({ text, ...address }) => {
    expect<unknown>(parseStoreAddress(text)).toEqual(address)
  })

  test.each([
    'memory',
    'memory:?prefix=a',
    'sqlite:',
    'sqlite:a.db?prefix=a',
    'redis:',
    'redis://',
    'redis://:99999',
    'redis://h/orders',
    'redis://h/1/2',
    'redis://h/-1',
    'redis://h/1e3',
    'redis://h#1',
    'redis://h?prefix=',
    'redis://h?prefix=a:b',
    'redis://h?prefix=a%2Db',
    'redis://h?Prefix=a',
    'redis://h?prefix=a&prefix=b',
    'redis://h?prefix=a&db=1',
    'redis://h?db=1',
    `redis://h?prefix=${'a'.repeat(65)}`,
    'upstash:?prefix',
    'upstash:?db=1',
    'upstash://h',
    'amqp://h',
  ])('is refused: %j', (text) => {
    expect(parseStoreAddress(text)).toBeUndefined()
  })
})
