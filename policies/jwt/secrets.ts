/** Secrets of at least 32 characters that tutorials and generators have made famous; shorter ones fail by length. */
const FAMOUS: ReadonlySet<string> = new Set(
  [
    'a-string-secret-at-least-256-bits-long',
    'a-valid-string-secret-that-is-at-least-512-bits-long-which-is-very-long',
    'GQDstcKsx0NHjPOuXOYg5MbeJ1XT0uFiwDVvVBrk',
    'AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow',
    '404E635266556A586E3272357538782F413F4428472B4B6250645367566B5970',
    '357638792F423F4428472B4B6250655368566D597133743677397A2443264629',
    '9a4f2c8d3b7a1e6f45c8a0b3f267d8b1d4e6f3c8a9d2b5f8e3a9c8b5f6v8a3d9',
    '3cfa76ef14937c1c0ea519f8fc057a80fcd04a7420f8e8bcd0a7567c272e007b',
    '======================BezKoder=Spring===========================',
    'abcdefghijklmnopqrstuvwxyz123456',
    'abcdefghijklmnopqrstuvwxyz0123456789',
    'qwertyuiopasdfghjklzxcvbnm123456',
    'thisisaverylongsecretkeyforjwttokens',
    'my-32-character-ultra-secure-and-ultra-long-secret',
  ].map((secret) => secret.toLowerCase()),
)

const LONGEST_REPEATED = 16

/** Why a secret that a human wrote cannot protect anything, or undefined when nothing is known against it. */
export function weaknessOf(secret: string): string | undefined {
  if (FAMOUS.has(secret.toLowerCase())) return 'it is a published example that every attacker tries first'
  if (isRepetition(secret)) return 'it repeats one short text over and over'
  return undefined
}

function isRepetition(text: string): boolean {
  for (let length = 1; length <= Math.min(LONGEST_REPEATED, text.length / 2); length++) {
    if (
      text ===
      text
        .slice(0, length)
        .repeat(Math.ceil(text.length / length))
        .slice(0, text.length)
    )
      return true
  }
  return false
}
