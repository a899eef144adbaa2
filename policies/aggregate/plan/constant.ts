/**
 * A JSON value of the configuration, with its text made once. A class of its own, so that nobody who searches options
 * for references takes a user's data for one.
 */
export class Constant {
  readonly value: unknown
  readonly json: Uint8Array<ArrayBuffer>

  constructor(value: unknown) {
    this.value = value
    this.json = new TextEncoder().encode(JSON.stringify(value))
  }
}

/** YAML has numbers that JSON would silently turn into null. */
export function isJson(value: unknown): boolean {
  if (typeof value === 'number') return Number.isFinite(value)
  if (typeof value !== 'object' || value === null) return value !== undefined
  return Object.values(value).every(isJson)
}
