import type { Clock } from '../../core/clock.ts'
import type { Logger } from '../../core/telemetry.ts'

/** Longest line written, in characters; a longer one is replaced by a note, so that no request can flood the log. */
const MAX_LINE = 16_384

/** One JSON object a line: time, level, message, facts. JSON escapes whatever a client may have put into them. */
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
      const line = JSON.stringify({ time, level, message, ...facts })
      write(
        line.length <= MAX_LINE ? line : JSON.stringify({ time, level, message, id: facts.id, truncated: line.length }),
      )
    }
  return { info: log('info'), warn: log('warn'), error: log('error') }
}
