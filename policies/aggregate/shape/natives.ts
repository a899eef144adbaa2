import type jsonata from 'jsonata'
import type { Budget, BudgetOf } from './budget.ts'
import { ENTRY } from './hooks.ts'

/** What JSONata calls a function with. */
interface Focus {
  readonly environment: object
}

/** A function as JSONata keeps it. */
interface Native {
  readonly implementation: (this: Focus, ...given: unknown[]) => unknown
}

interface Frame {
  lookup(name: string): unknown
}

/**
 * Counts each call of a function of JSONata, and what goes in and out: one that is handed to another, as in
 * `$reduce(list, $append)`, runs without a step of the expression.
 */
export function countNatives(expression: jsonata.Expression, names: readonly string[], budgetOf: BudgetOf): void {
  const frame = frameOf(expression)
  for (const name of names) {
    const native = frame.lookup(name)
    if (isNative(native)) expression.assign(name, { ...native, implementation: counted(native, budgetOf) })
  }
}

function counted({ implementation }: Native, budgetOf: BudgetOf): Native['implementation'] {
  function call(this: Focus, ...given: unknown[]): unknown {
    const budget = budgetOf(this.environment)
    budget.call(given)
    const made = implementation.apply(this, given)
    return made instanceof Promise ? made.then((value) => whenCounted(value, budget)) : whenCounted(made, budget)
  }
  // JSONata reads there how many parameters there are, and when only some are given, their names.
  return Object.defineProperties(call, {
    length: { value: implementation.length },
    toString: { value: () => implementation.toString() },
  })
}

function whenCounted(value: unknown, budget: Budget): unknown {
  budget.count(value)
  return value
}

function isNative(value: unknown): value is Native {
  return typeof value === 'object' && value !== null && 'implementation' in value
}

/** Where an expression finds its functions; JSONata shows it to its hooks alone, at the first step. */
function frameOf(expression: jsonata.Expression): Frame {
  let found: Frame | undefined
  expression.assign(ENTRY, (_: unknown, __: unknown, frame: Frame) => {
    found = frame
    throw new Error('This was all that had to be seen')
  })
  expression.evaluate(undefined).catch(() => {})
  if (!found) throw new TypeError('JSONata shows no frame at the first step')
  return found
}
