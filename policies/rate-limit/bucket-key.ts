import { addressBlock } from '../../gateway/core/address-block.ts'
import type { Reference, Root } from '../../gateway/core/reference.ts'
import type { Scope } from '../../gateway/core/scope.ts'
import { sha256 } from '../../gateway/core/sha256.ts'

/** Longest key that is kept as it stands; a client may send values of any length. */
const MAX_PLAIN_LENGTH = 200

/** Values from these places may be credentials, which must not lie in a store in the clear. */
const PRIVATE_ROOTS: ReadonlySet<Root> = new Set(['headers', 'cookies', 'query', 'body'])

/**
 * The key of the budget a request draws on. Every part says where it comes from, so that no value a client chooses can
 * be mistaken for another part, and a missing one is replaced by the client's address, never by a budget all share.
 */
export async function bucketKey(by: readonly Reference[], scope: Scope): Promise<string> {
  const plain = JSON.stringify(by.map((reference) => partOf(reference, scope)))
  const isPrivate = by.some(({ root }) => PRIVATE_ROOTS.has(root))
  return isPrivate || plain.length > MAX_PLAIN_LENGTH ? `#${await sha256(plain)}` : plain
}

type Part = readonly [kind: 'value' | 'address', value: unknown]

function partOf(reference: Reference, scope: Scope): Part {
  const value = reference.read(scope)
  const isAddress = reference.root === 'client' && reference.path[0] === 'ip'
  if (!isAddress && value !== undefined && value !== null && value !== '') return ['value', value]
  return ['address', scope.clientIp === undefined ? null : addressBlock(scope.clientIp)]
}
