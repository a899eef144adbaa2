/** A person who can sign in to the demo shop. */
export interface Account {
  readonly id: string
  readonly username: string
  /** In clear text, because everybody is told it; a real user centre stores a slow hash. */
  readonly password: string
  readonly name: string
  readonly email: string
  readonly roles: readonly string[]
}

/** The demo's people; each password is the username. */
export const ACCOUNTS: readonly Account[] = [
  account('alice', 'Alice Appleby', ['customer']),
  account('bob', 'Bob Barnes', ['customer']),
  account('carol', 'Carol Castle', ['customer', 'admin']),
]

function account(username: string, name: string, roles: readonly string[]): Account {
  return { id: `user-${username}`, username, password: username, name, email: `${username}@shop.example`, roles }
}
