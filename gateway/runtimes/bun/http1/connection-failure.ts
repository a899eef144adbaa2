/** There is no connection, or it ended before the reply was whole; `code` says how, in an operator's words. */
export class ConnectionFailure extends Error {
  override readonly name = 'ConnectionFailure'
  readonly code: string
  /** True when no byte of the request has left. */
  readonly isUnsent: boolean

  constructor(code: string, { isUnsent = false }: { readonly isUnsent?: boolean } = {}) {
    super(code)
    this.code = code
    this.isUnsent = isUnsent
  }

  /** With the code of the system's error, when there is one. */
  static from(error: unknown, otherwise: string, options?: { readonly isUnsent?: boolean }): ConnectionFailure {
    const code = error instanceof Error && 'code' in error ? String(error.code) : otherwise
    return new ConnectionFailure(code, options)
  }
}
