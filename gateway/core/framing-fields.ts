/**
 * Header fields that frame a message or belong to one connection (RFC 9110 §7.6.1, §8.6). The runtime writes them; a
 * configuration that set them could make two servers read one message differently.
 */
export const FRAMING_FIELDS: ReadonlySet<string> = new Set([
  'connection',
  'content-length',
  'expect',
  'host',
  'http2-settings',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])
