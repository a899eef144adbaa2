import ipaddr from 'ipaddr.js'

/**
 * What one client can be expected to hold: an IPv4 address, or the /64 network of an IPv6 one, within which it can pick
 * a new address for every request.
 */
export function addressBlock(address: string): string {
  if (!address.includes(':') || !ipaddr.isValid(address)) return address
  const parsed = ipaddr.process(address)
  return parsed instanceof ipaddr.IPv6
    ? `${new ipaddr.IPv6([...parsed.parts.slice(0, 4), 0, 0, 0, 0]).toString()}/64`
    : parsed.toString()
}
