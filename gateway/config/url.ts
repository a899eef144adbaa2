import ipaddr from 'ipaddr.js'
import { show } from './fields.ts'

/**
 * Why a URL cannot be an upstream or key-set address; undefined when it can. Loopback and private addresses are where
 * upstreams live and are fine; addresses written so that a reader cannot recognise them, and the link-local range where
 * clouds keep their credentials (169.254.169.254), are not.
 */
export function refuseUrl(text: string): string | undefined {
  // First of all, so that no other message shows a password.
  if (text.includes('@')) return 'the URL must not hold a user name or password'
  const url = URL.parse(text)
  if (!url || !/^https?:\/\//i.test(text)) {
    return `expected an http:// or https:// URL, found ${show(text)}`
  }
  if (url.search !== '' || url.hash !== '' || /[?#\\\s]/.test(text))
    return 'the URL must have no query, fragment, backslash or space'
  const refusal = refuseHost(url.hostname)
  if (refusal !== undefined) return refusal
  const written = (/^https?:\/\/([^/]*)/i.exec(text)?.[1] ?? '').toLowerCase().replace(/:\d+$/, '')
  return written === url.hostname
    ? undefined
    : `the host must be written plainly: "${url.hostname}" instead of "${written}"`
}

/** Why a host name or resolved address must not be called; undefined when it may. */
export function refuseHost(hostname: string): string | undefined {
  const bare = hostname.replace(/^\[|\]$/g, '')
  if (!ipaddr.isValid(bare)) {
    return /^(?!-)[a-z0-9_.-]{1,253}$/.test(bare) ? undefined : `"${hostname}" is not a host name`
  }
  const address = ipaddr.process(bare)
  if (address.kind() !== ipaddr.parse(bare).kind())
    return `"${hostname}" is an IPv4 address in disguise: write ${address}`
  const range = address.range()
  return range in RANGES ? `"${hostname}" is ${RANGES[range]} address, where no service lives` : undefined
}

/** Ranges in which no upstream lives. */
const RANGES: Readonly<Record<string, string>> = {
  linkLocal: 'a link-local',
  unspecified: 'an unspecified',
  broadcast: 'a broadcast',
  multicast: 'a multicast',
  reserved: 'a reserved',
}
