/** True for a CORS preflight (WHATWG Fetch); without an `Origin` it is an ordinary OPTIONS request. */
export function isPreflight({ method, headers }: Request): boolean {
  return method === 'OPTIONS' && headers.has('origin') && headers.has('access-control-request-method')
}
