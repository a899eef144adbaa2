/** Values of a query parameter, decoded; several when the client repeats it. */
export function queryValues(search: string, name: string): string[] {
  return new URLSearchParams(search).getAll(name)
}

/** The query without a parameter; every other byte stays as the client wrote it. */
export function withoutQueryKey(search: string, name: string): string {
  const kept = search
    .slice(1)
    .split('&')
    .filter((pair) => !new URLSearchParams(pair).has(name))
    .join('&')
  return kept === '' ? '' : `?${kept}`
}
