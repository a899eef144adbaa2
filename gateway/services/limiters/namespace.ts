import type { LimitRule } from '../../core/limiter.ts'

/**
 * Where the counts of one limiter live. The way of counting is part of it: counts of another algorithm or window mean
 * nothing to this one. The limit is not, so that a raised limit does not forget what was used.
 */
export function namespaceOf(prefix: string, rule: LimitRule): string {
  const lengthMs = rule.algorithm === 'token-bucket' ? rule.intervalMs : rule.windowMs
  return `${rule.algorithm}:${lengthMs}:${prefix}`
}
