/**
 * An id that is the same whenever the same things come together (what they are is for the policy to say), and unguessable
 * as far as they are: the first 32 hex digits of a SHA-256.
 */
export async function deriveEventId(identity: readonly unknown[]): Promise<string> {
  const hash = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(JSON.stringify(identity)))
  return Array.from(new Uint8Array(hash, 0, 16), (byte) => byte.toString(16).padStart(2, '0')).join('')
}
