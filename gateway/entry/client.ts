import ipaddr from 'ipaddr.js'
import type { ConfigFile } from '../config/schema.ts'
import type { Client } from '../core/exchange.ts'
import { isHost } from './host.ts'

/** What the runtime knows of the connection a request came in on. */
export interface Peer {
  /** Address of the socket's other end. */
  readonly ip?: string | undefined
}

export type TrustRule = ConfigFile['server']['trust']

/** Who asks, by the request, its connection and what its `Host` says (empty when it is not there). */
export type ReadClient = (request: Request, peer: Peer, host: string) => Client

/** Reads the client under the trust rule. By default nothing a client says about itself is believed. */
export function createClientReader(rule: TrustRule): ReadClient {
  if (rule === 'none') return untrusted
  if ('platform' in rule) {
    return (request, peer, host) =>
      trusted(request, untrusted(request, peer, host), validIp(request.headers.get('cf-connecting-ip')))
  }
  if ('hops' in rule) {
    return (request, peer, host) =>
      trusted(request, untrusted(request, peer, host), nthFromRight(forwardedFor(request), rule.hops))
  }
  const networks = rule.cidrs.map((cidr) => ipaddr.parseCIDR(cidr))
  const isTrusted = (ip: string | undefined) => ip !== undefined && ipaddr.isValid(ip) && matches(ip, networks)
  return (request, peer, host) => {
    const told = untrusted(request, peer, host)
    if (!isTrusted(peer.ip)) return told
    const chain = forwardedFor(request)
    return trusted(request, told, validIp(chain.findLast((ip) => !isTrusted(ip)) ?? chain[0]))
  }
}

type Networks = readonly ReturnType<typeof ipaddr.parseCIDR>[]

function matches(ip: string, networks: Networks): boolean {
  const address = ipaddr.process(ip)
  return networks.some(([network, bits]) => address.kind() === network.kind() && address.match(network, bits))
}

function untrusted({ url }: Request, { ip }: Peer, host: string): Client {
  return { ip, peer: ip, trusted: false, protocol: url.startsWith('https:') ? 'https' : 'http', host }
}

/** What the peer says of its client, and what is seen of the peer where it says nothing that can be meant. */
function trusted({ headers }: Request, seen: Client, ip: string | undefined): Client {
  const protocol = headers.get('x-forwarded-proto')
  const host = headers.get('x-forwarded-host')
  return {
    ip: ip ?? seen.ip,
    peer: seen.peer,
    trusted: true,
    protocol: protocol === 'https' || protocol === 'http' ? protocol : seen.protocol,
    // Many proxies hand on what a client wrote here.
    host: host !== null && isHost(host) ? host : seen.host,
  }
}

function forwardedFor(request: Request): string[] {
  const value = request.headers.get('x-forwarded-for')
  return value === null ? [] : value.split(',').map((entry) => entry.trim())
}

/** A chain shorter than the number of hops ends at its first entry. */
function nthFromRight(chain: readonly string[], hops: number): string | undefined {
  return validIp(chain[Math.max(0, chain.length - hops)])
}

function validIp(text: string | null | undefined): string | undefined {
  if (!text) return undefined
  // Octal, hexadecimal and short spellings would give one client many addresses.
  return ipaddr.IPv4.isValidFourPartDecimal(text) || ipaddr.IPv6.isValid(text) ? text : undefined
}
