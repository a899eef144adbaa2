import type { PartOptions } from '../options.ts'

/** Whether a part may change something at its upstream. */
export function isWrite({ method, safe }: Pick<PartOptions, 'method' | 'safe'>): boolean {
  return method !== 'GET' && !safe
}
