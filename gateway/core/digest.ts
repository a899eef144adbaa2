import { sha256 } from './sha256.ts'

/** SHA-256 of values as JSON, in hexadecimal. */
export function digest(values: readonly unknown[]): Promise<string> {
  return sha256(JSON.stringify(values))
}
