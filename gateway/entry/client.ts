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

/** Reads the client under the trust rule. By default nothing a client says about itself is believed. */
export function createClientReader(rule: TrustRule): (request: Request, peer: Peer) => Client {
  if (rule === 'none') return (request, peer) => untrusted(request, peer)
  if ('platform' in rule) {
    return (request, peer) => trusted(request, peer, validIp(request.headers.get('cf-connecting-ip')) ?? peer.ip)
  }
  if ('hops' in rule) {
    return (request, peer) => trusted(request, peer, nthFromRight(forwardedFor(request), rule.hops) ?? peer.ip)
  }
  const networks = rule.cidrs.map((cidr) => ipaddr.parseCIDR(cidr))
  const isTrusted = (ip: string | undefined) => ip !== undefined && ipaddr.isValid(ip) && matches(ip, networks)
  return (request, peer) => {
    if (!isTrusted(peer.ip)) return untrusted(request, peer)
    const chain = forwardedFor(request)
    const client = chain.findLast((ip) => !isTrusted(ip)) ?? chain[0] ?? peer.ip
    return trusted(request, peer, validIp(client) ?? peer.ip)
  }
}

type Networks = readonly ReturnType<typeof ipaddr.parseCIDR>[]

function matches(ip: string, networks: Networks): boolean {
  const address = ipaddr.process(ip)
  return networks.some(([network, bits]) => address.kind() === network.kind() && address.match(network, bits))
}

function untrusted(request: Request, { ip }: Peer): Client {
  return { ip, peer: ip, trusted: false, protocol: protocolOf(request), host: request.headers.get('host') ?? '' }
}

function trusted(request: Request, peer: Peer, ip: string | undefined): Client {
  const { headers } = request
  const protocol = headers.get('x-forwarded-proto')
  const host = headers.get('x-forwarded-host')
  return {
    ip,
    peer: peer.ip,
    trusted: true,
    protocol: protocol === 'https' || protocol === 'http' ? protocol : protocolOf(request),
    // Many proxies hand on what a client wrote here.
    host: host !== null && isHost(host) ? host : (headers.get('host') ?? ''),
  }
}

function protocolOf(request: Request): 'http' | 'https' {
  return request.url.startsWith('https:') ? 'https' : 'http'
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
