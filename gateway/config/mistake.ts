/** One mistake of a configuration file: where, what, and how to mend it. */
export interface Mistake {
  readonly file: string
  /** From 1. */
  readonly line: number
  readonly column: number
  /** Path in the document, e.g. `routes.orders.policies[1].rate-limit`. Empty for the document itself. */
  readonly path: string
  readonly message: string
}

/** All mistakes of a configuration at once. Thrown at load only; nothing is served. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
  readonly mistakes: readonly Mistake[]

  constructor(mistakes: readonly Mistake[]) {
    const ordered = [...mistakes].sort((a, b) => a.line - b.line || a.column - b.column)
    super(ordered.map(describeMistake).join('\n'))
    this.mistakes = ordered
  }
}

/** `file:line:column  path  message`, the form editors and terminals turn into links. */
export function describeMistake({ file, line, column, path, message }: Mistake): string {
  return `${file}:${line}:${column}  ${path === '' ? '' : `${path}  `}${message}`
}

export type Path = readonly (string | number)[]

/** `['routes', 'a', 'policies', 1]` → `routes.a.policies[1]`. */
export function formatPath(path: Path): string {
  return path.reduce<string>(
    (text, step) => (typeof step === 'number' ? `${text}[${step}]` : text === '' ? step : `${text}.${step}`),
    '',
  )
}

/** `; did you mean "x"?` when a candidate is close enough to what was written, else an empty text. */
export function didYouMean(found: string, candidates: Iterable<string>): string {
  const meant = nearest(found, candidates)
  return meant === undefined ? '' : `; did you mean "${meant}"?`
}

/** The candidate that was probably meant; undefined when none is close enough. */
export function nearest(found: string, candidates: Iterable<string>): string | undefined {
  let nearestYet: string | undefined
  // A third of the letters may be wrong; where nothing is written, any short name is near.
  let best = (found === '' ? 2 : Math.max(1, Math.floor(found.length / 3))) + 1
  for (const candidate of candidates) {
    const distance = editDistance(found.toLowerCase(), candidate.toLowerCase(), best)
    if (distance < best) {
      best = distance
      nearestYet = candidate
    }
  }
  return nearestYet
}

/** Optimal string alignment distance (Levenshtein with transpositions), or `limit` as soon as it cannot be less. */
function editDistance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) >= limit) return limit
  let beforeLast: number[] = []
  let last = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const current = [i]
    for (let j = 1; j <= b.length; j++) {
      const substitution = (last[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      let distance = Math.min((last[j] ?? 0) + 1, (current[j - 1] ?? 0) + 1, substitution)
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        distance = Math.min(distance, (beforeLast[j - 2] ?? 0) + 1)
      }
      current[j] = distance
    }
    beforeLast = last
    last = current
  }
  return Math.min(last[b.length] ?? limit, limit)
}
