/** Names one typed value that policies hand to later policies through the exchange. */
export interface Key<T> {
  readonly name: string
  /** Never present at run time; ties the key to its type. */
  readonly type?: T
}

/** Makes a key; keys are compared by identity, so two policies never collide by name. */
export function createKey<T>(name: string): Key<T> {
  return Object.freeze({ name })
}

/** Who is calling, as an authentication policy has established it. */
export interface Principal {
  /** Stable and unique for the caller: a token's `sub`, an API key's client name. Read in templates as `client.id`. */
  readonly id: string
  /** Read in templates as `claims.<name>`. */
  readonly claims: Readonly<Record<string, unknown>>
  /** The policy that vouches, e.g. `jwt`. */
  readonly via: string
}

/** Set by authentication policies; needed by whatever reads `claims` or `client.id`. */
export const principal = createKey<Principal>('principal')
