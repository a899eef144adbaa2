/** Where a consumer says what happens to it; facts are for machines, messages for people. */
export interface Log {
  info(message: string, facts?: Readonly<Record<string, unknown>>): void
  warn(message: string, facts?: Readonly<Record<string, unknown>>): void
}

/** Drops everything; what is used when nobody listens. */
export const silentLog: Log = { info() {}, warn() {} }
