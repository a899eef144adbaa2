import { PartFailure } from '../failure.ts'

/** The reply cannot be used; `cause` is for the log. */
export function invalid(cause: string): PartFailure {
  return new PartFailure('invalid-response', { cause })
}

/** What an upstream sent, short enough for a log line. */
export function quoted(text: string): string {
  return JSON.stringify(text.slice(0, 80))
}
