import { ConfigError } from '../../config/mistake.ts'
import { readText } from './environment.ts'

/** Reads the file; one that cannot be read is a mistake like any other. */
export function readConfig(file: string): string {
  const text = readText(file) ?? { unreadable: 'there is no such file' }
  if (typeof text === 'string') return text
  throw new ConfigError([{ file, line: 1, column: 1, path: '', message: `cannot be read: ${text.unreadable}` }])
}
