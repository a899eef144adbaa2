/** What the data of one type of event must look like. */
export interface EventSchema {
  /** Why the schema itself cannot be used; the configuration is refused then. */
  readonly mistake?: string
  /** What of the data does not fit, in an operator's words; `undefined` when it fits. */
  misfit(data: unknown): string | undefined
}
