/** What the order of starts is worked out from. */
interface Ranked {
  readonly required: boolean
  /** Positions of the parts it waits for. */
  readonly inputs: readonly number[]
}

/**
 * For each part its place in the queue for calls: first what a required part needs, then what has the longest chain of
 * others waiting for it, then the order of the file. The graph must have no cycles.
 */
export function ranksOf(parts: readonly Ranked[]): number[] {
  const waiting = parts.map((_, input) => parts.flatMap(({ inputs }, i) => (inputs.includes(input) ? [i] : [])))
  const urgency = new Map<number, { readonly isNeeded: boolean; readonly chain: number }>()
  const visit = (index: number): { readonly isNeeded: boolean; readonly chain: number } => {
    const known = urgency.get(index)
    if (known) return known
    const after = (waiting[index] ?? []).map(visit)
    const found = {
      isNeeded: (parts[index]?.required ?? false) || after.some(({ isNeeded }) => isNeeded),
      chain: after.reduce((longest, { chain }) => Math.max(longest, chain + 1), 0),
    }
    urgency.set(index, found)
    return found
  }
  const order = parts
    .map((_, index) => ({ index, ...visit(index) }))
    .sort((a, b) => Number(b.isNeeded) - Number(a.isNeeded) || b.chain - a.chain || a.index - b.index)
  const ranks = parts.map(() => 0)
  for (const [rank, { index }] of order.entries()) ranks[index] = rank
  return ranks
}
