import jsonata from 'jsonata'
import type { Clock } from '../../../gateway/core/clock.ts'
import { Budget, BudgetSpent } from './budget.ts'
import { type Expression, messageOf } from './expression.ts'
import { FUNCTIONS } from './expression-names.ts'
import { registerBounded } from './functions.ts'
import { ENTRY, EXIT } from './hooks.ts'
import { countNatives } from './natives.ts'
import { type Bounds, writeJson } from './write-json.ts'

type Json = Uint8Array<ArrayBuffer>

/** Makes one JSON text of another. Rejects with what `bounds.fail` makes when it cannot, or when that costs too much. */
export type Transform = (json: Json, bounds: Bounds, given?: Readonly<Record<string, unknown>>) => Promise<Json>

/** Deepest recursion, and longest list that is made step by step. */
const LIMITS = { stack: 250, sequence: 50_000 }

interface Frame {
  /** The outermost frame of an evaluation, which is its own. */
  readonly base: object
}

/** Compiles an expression, with its steps counted: JSONata itself would run on for as long as it takes. */
export function compileTransform({ source }: Expression, clock: Clock): Transform {
  const expression = jsonata(source, LIMITS)
  const budgets = new WeakMap<object, Budget>()
  const budgetOf = ({ base }: Frame): Budget => {
    const known = budgets.get(base)
    if (known) return known
    const budget = new Budget(clock)
    budgets.set(base, budget)
    return budget
  }
  const budgetIn = (environment: object) => budgetOf(environment as Frame)
  registerBounded(expression, budgetIn)
  countNatives(expression, FUNCTIONS, budgetIn)
  expression.assign(ENTRY, (_: unknown, __: unknown, frame: Frame) => budgetOf(frame).step())
  expression.assign(EXIT, (_: unknown, __: unknown, frame: Frame, value: unknown) => budgetOf(frame).count(value))

  return async (json, bounds, given = {}) => {
    // Parsed anew: what others read is never what an expression works on.
    const input: unknown = JSON.parse(new TextDecoder().decode(json))
    let value: unknown
    try {
      value = await expression.evaluate(input, { ...given })
    } catch (error) {
      throw bounds.fail(error instanceof BudgetSpent ? error.message : messageOf(error).slice(0, LONGEST_CAUSE))
    }
    return writeJson(value, bounds)
  }
}

const LONGEST_CAUSE = 200
