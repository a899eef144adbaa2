import { z } from 'zod'

/**
 * A JSON value of the configuration, with its text made once. A class of its own, so that nobody who searches options
 * for references takes a user's data for one.
 */
export class Constant {
  readonly body: unknown
  readonly json: Uint8Array<ArrayBuffer>

  constructor(value: unknown) {
    this.body = value
    this.json = new TextEncoder().encode(JSON.stringify(value))
  }
}

/** YAML has numbers that JSON would silently turn into null. */
function isJson(value: unknown): boolean {
  if (typeof value === 'number') return Number.isFinite(value)
  if (typeof value !== 'object' || value === null) return value !== undefined
  return Object.values(value).every(isJson)
}

/** A JSON value as an option; a `Constant` once parsed. `null` counts as one. */
export const constant = z
  .unknown()
  .refine(isJson, {
    error: 'expected a value JSON can hold: text, a finite number, true, false, null, a list or a mapping',
  })
  .transform((value) => new Constant(value))
