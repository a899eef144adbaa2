/** Rows under a heading, in aligned columns; the last one may be as long as it is. Nothing in a cell moves the cursor. */
export function table(heading: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [heading, ...rows].map((row) => row.map(oneLine))
  const widths = heading.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0)))
  return all
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

/** Names with their values, below each other. */
export function facts(rows: readonly (readonly [name: string, value: string | undefined])[]): string {
  const known = rows.flatMap(([name, value]) => (value === undefined ? [] : [[name, oneLine(value)] as const]))
  const width = Math.max(...known.map(([name]) => name.length))
  return known.map(([name, value]) => `${name.padEnd(width)}  ${value}`).join('\n')
}

/** Longest text of others in a column that others stand behind: one of them may fill the screen otherwise. */
const MAX_CELL = 60

/** The beginning of a text, marked when there is more of it. */
export function shorten(text: string): string {
  return text.length > MAX_CELL ? `${text.slice(0, MAX_CELL - 1)}…` : text
}

/** Text of others without what a terminal would obey. */
export function oneLine(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\u2028\u2029]+/gu, ' ')
}

const UNITS = [
  { name: 'd', ms: 86_400_000 },
  { name: 'h', ms: 3_600_000 },
  { name: 'm', ms: 60_000 },
  { name: 's', ms: 1_000 },
] as const

/** How long ago that was, in its largest unit: `3m`. A dash when it is not known. */
export function age(atMs: number | undefined, nowMs: number): string {
  if (atMs === undefined) return '-'
  return span(Math.max(0, nowMs - atMs))
}

/** A length of time in its largest unit. */
function span(ms: number): string {
  const unit = UNITS.find((each) => ms >= each.ms)
  return unit ? `${Math.floor(ms / unit.ms)}${unit.name}` : '0s'
}
