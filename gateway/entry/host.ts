const HOST =
  /^(?:[A-Za-z0-9._~!$&'()*+;=-]|%[0-9A-Fa-f]{2}){1,253}(?::\d{1,5})?$|^\[[0-9A-Fa-f:.]{2,45}\](?::\d{1,5})?$/

/** RFC 3986 `host [":" port]`: a registered name, an IPv4 address or a bracketed IPv6 address; nothing that ends a host. */
export function isHost(text: string): boolean {
  return HOST.test(text)
}
