import { expect, test } from 'bun:test'
import { addressBlock } from './address-block.ts'

test.each([
  { name: 'an IPv4 address stands for itself', address: '192.0.2.1', block: '192.0.2.1' },
  { name: 'an IPv6 address stands for its /64', address: '2001:db8:1:2:3:4:5:6', block: '2001:db8:1:2::/64' },
  { name: 'an IPv4 address in IPv6 dress is the IPv4 address', address: '::ffff:192.0.2.1', block: '192.0.2.1' },
  { name: 'what is no address stays as it is', address: 'unix:socket', block: 'unix:socket' },
])('$name', ({ address, block }) => {
  expect(addressBlock(address)).toBe(block)
})
