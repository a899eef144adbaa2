import type { Exchange } from '../../../gateway/core/exchange.ts'
import { extendScope, type Scope } from '../../../gateway/core/scope.ts'
import type { AggregateOptions } from '../options.ts'
import { type Outcome, templateValue } from '../outcome.ts'
import { type Layout, writeDocument } from './layout.ts'
import { isComplete } from './status.ts'
import { compileBody } from './template-body.ts'
import { Views } from './views.ts'

type Json = Uint8Array<ArrayBuffer>

/** Writes the whole answer. */
export type Write = (outcomes: readonly Outcome[], exchange: Exchange) => Json | Promise<Json>

/** Compiles how the answer is written: one key per part, or as its template says. */
export function compileWrite({ body }: AggregateOptions, layout: Layout): Write {
  if (body === undefined) return (outcomes) => writeDocument(layout, outcomes, isComplete(outcomes))
  const write = compileBody(body)
  return (outcomes, { scope }) => write(scopeOf(outcomes, scope), new Views(outcomes)) ?? NULL
}

const NULL = new TextEncoder().encode('null')

function scopeOf(outcomes: readonly Outcome[], scope: Scope): Scope {
  return extendScope(scope, {
    parts: Object.fromEntries(outcomes.map((outcome) => [outcome.part, templateValue(outcome)])),
    composition: {
      complete: isComplete(outcomes),
      missing: outcomes.flatMap(({ kind, part }) => (kind === 'ok' || kind === 'skipped' ? [] : [part])),
    },
  })
}
