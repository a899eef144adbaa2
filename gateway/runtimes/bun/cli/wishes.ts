import type { Tally } from '../../../core/operations.ts'
import { oneLine } from './table.ts'

/** The one id a command needs. Throws when it is missing, or the flag that stands for all was given beside it. */
export function theOne(id: string | undefined, command: string, instead?: string): string {
  if (id !== undefined && id !== '') return id
  throw new Error(`"sluice ${command}" needs an ID${instead === undefined ? '' : `, or ${instead}, and not both`}`)
}

/** Says what was done and what was not; the exit code is 1 when something was not. */
export function reportTally(tally: Tally, { json = false }: { readonly json?: boolean }, done: string): number {
  if (json) console.log(JSON.stringify(tally, null, 2))
  else {
    console.log(`${tally.done} ${done}${tally.refused.length > 0 ? `, ${tally.refused.length} not:` : ''}`)
    for (const { id, reason } of tally.refused) console.log(`  ${oneLine(id)}  ${oneLine(reason)}`)
  }
  return tally.refused.length === 0 ? 0 : 1
}
