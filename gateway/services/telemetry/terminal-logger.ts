import type { Clock } from '../../core/clock.ts'
import type { Logger } from '../../core/telemetry.ts'
import { describeTrouble } from './request-trouble.ts'

type Facts = Readonly<Record<string, unknown>>

/** Short lines for a person at a terminal; the same events as the JSON log, the details left out. */
export function createTerminalLogger(clock: Clock, write: (line: string) => void): Logger {
  const log =
    (mark: string) =>
    (message: string, facts: Facts = {}): void => {
      const time = new Date(clock.now()).toISOString().slice(11, 19)
      write(printable(`${time} ${mark}${describe(message, facts)}`))
    }
  return { info: log(''), warn: log('! '), error: log('!! ') }
}

function describe(message: string, facts: Facts): string {
  if (message === 'request') return describeRequest(facts)
  if (message === 'stream ended') return `${message}${describeRoute(facts)}${describeTrouble(facts, facts)}`
  return `${message}${describeFacts(facts)}`
}

function describeRequest(facts: Facts): string {
  const { method, path, status, durationMs, policies } = facts
  const { aggregate } = (policies ?? {}) as Facts
  return `${method} ${path ?? '?'} ${status} ${durationMs} ms${describeRoute(facts)}${describeTrouble(facts, aggregate)}`
}

function describeRoute({ route }: Facts): string {
  return route === undefined ? '' : `  (${route})`
}

/** A list of mistakes gets a line each, the form `check` prints. */
function describeFacts({ mistakes, ...facts }: Facts): string {
  const words = Object.entries(facts).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}=${short(value)}`],
  )
  const lines = Array.isArray(mistakes) ? mistakes.map((mistake) => `\n    ${mistake}`) : []
  return `${words.length > 0 ? `  ${words.join(' ')}` : ''}${lines.join('')}`
}

function short(value: unknown): string {
  const text = typeof value === 'string' ? value : written(value)
  return text.length > 120 ? `${text.slice(0, 117)}…` : text
}

function written(value: unknown): string {
  try {
    return JSON.stringify(value) ?? String(value)
  } catch {
    return '(not JSON)'
  }
}

/** What a client sent must not move the cursor or colour the screen. */
function printable(line: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is replaced
  return line.replace(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/g, '\ufffd')
}
