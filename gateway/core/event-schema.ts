/** What the data of one type of event must look like. */
export interface EventSchema {
  /** Its own `$id`, an absolute URI; the event then says that its data fits it. */
  readonly id?: string
  /** Why the schema itself cannot be used; the configuration is refused then. */
  readonly mistake?: string
  /** What of the data does not fit, in an operator's words; `undefined` when it fits. */
  misfit(data: unknown): string | undefined
  /** The same for whoever sent the data: every place where it does not fit, the first 20. */
  misfits(data: unknown): readonly Misfit[]
}

export interface Misfit {
  /** Names and positions that lead to it, as in `items.0.quantity`; empty for the data itself. */
  readonly path: string
  readonly message: string
}
