import type { Log } from '../consumer/index.ts'

/** Writes one JSON line per message to standard error, so that standard output stays free for people. */
export const consoleLog: Log = {
  info: (message, facts) => console.error(JSON.stringify({ level: 'info', message, ...facts })),
  warn: (message, facts) => console.error(JSON.stringify({ level: 'warn', message, ...facts })),
}

/** The message of anything that was thrown. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
