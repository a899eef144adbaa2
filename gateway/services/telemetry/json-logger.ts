import type { Clock } from '../../core/clock.ts'
import type { Logger } from '../../core/telemetry.ts'

/** Longest line written, in characters; a longer one is replaced by a note, so that no request can flood the log. */
const MAX_LINE = 16_384

/**
 * What JSON leaves as it is and others act on: controls beyond ASCII (U+009B is an escape sequence to a terminal),
 * what some readers of lines take for an end of one, and marks that turn the direction of what follows.
 */
const ACTED_ON = /[\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g

/** One JSON object a line: time, level, message, facts. Whatever a client may have put into them is escaped. */
export function createJsonLogger(clock: Clock, write: (line: string) => void): Logger {
  let writtenMs = Number.NaN
  let written = ''
  /** Formatting a date costs more than the rest of a short line; busy milliseconds share one. */
  const timestamp = () => {
    const now = clock.now()
    if (now !== writtenMs) {
      writtenMs = now
      written = new Date(now).toISOString()
    }
    return written
  }
  const log =
    (level: string) =>
    (message: string, facts: Readonly<Record<string, unknown>> = {}): void => {
      const time = timestamp()
      const line = toLine({ time, level, message }, facts).replace(ACTED_ON, escaped)
      write(
        line.length <= MAX_LINE ? line : JSON.stringify({ time, level, message, id: facts.id, truncated: line.length }),
      )
    }
  return { info: log('info'), warn: log('warn'), error: log('error') }
}

/** A policy may have noted what JSON has no words for; the rest of the line is not lost with it. */
function toLine(head: Readonly<Record<string, unknown>>, facts: Readonly<Record<string, unknown>>): string {
  try {
    return JSON.stringify({ ...head, ...facts })
  } catch {
    const kept = Object.entries(facts).map(([name, value]) => [name, isWritable(value) ? value : '(not JSON)'])
    return JSON.stringify({ ...head, ...Object.fromEntries(kept) })
  }
}

function isWritable(value: unknown): boolean {
  try {
    JSON.stringify(value)
    return true
  } catch {
    return false
  }
}

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
}
