import type { Policy } from '../gateway/core/policy.ts'

/** Every policy that comes with Sluice, one line per folder, in alphabetical order. */
export const builtInPolicies: readonly Policy[] = []
