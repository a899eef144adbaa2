import type jsonata from 'jsonata'
import type { BudgetOf } from './budget.ts'

/** Whether the first comes after the second. */
type ComesAfter = (first: unknown, second: unknown) => unknown

/** `$sort` without the copies of JSONata's own, which makes one of the rest of the list for each comparison. */
export function registerSort(expression: jsonata.Expression, budgetOf: BudgetOf): void {
  expression.registerFunction(
    'sort',
    function (list: unknown[] | undefined, comesAfter?: ComesAfter) {
      if (list === undefined || list.length <= 1) return list
      if (!comesAfter) return sorted(list)
      const budget = budgetOf(this.environment)
      return merged(list, (first, second) => {
        budget.step()
        return comesAfter(first, second)
      })
    },
    '<af?:a>',
  )
}

function sorted(list: readonly unknown[]): unknown[] {
  if (!['number', 'string'].some((type) => list.every((value) => typeof value === type))) {
    throw new TypeError('"$sort" of what is neither all numbers nor all texts needs a function')
  }
  return (list as readonly string[]).toSorted((first, second) => (first > second ? 1 : first < second ? -1 : 0))
}

/** Sorted, those that are alike in the order they had. */
async function merged(list: readonly unknown[], comesAfter: ComesAfter): Promise<unknown[]> {
  let runs = list.map((value) => [value])
  while (runs.length > 1) {
    const longer: unknown[][] = []
    for (let at = 0; at < runs.length; at += 2) {
      longer.push(await merge(runs[at] ?? [], runs[at + 1] ?? [], comesAfter))
    }
    runs = longer
  }
  return runs[0] ?? []
}

async function merge(left: unknown[], right: unknown[], comesAfter: ComesAfter): Promise<unknown[]> {
  if (right.length === 0) return left
  const all: unknown[] = []
  let fromLeft = 0
  let fromRight = 0
  while (fromLeft < left.length && fromRight < right.length) {
    all.push((await comesAfter(left[fromLeft], right[fromRight])) ? right[fromRight++] : left[fromLeft++])
  }
  return all.concat(left.slice(fromLeft), right.slice(fromRight))
}
