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
