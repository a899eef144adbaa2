import type { Clock } from '../../../gateway/core/clock.ts'
import { GatewayError } from '../../../gateway/core/errors.ts'
import type { Exchange } from '../../../gateway/core/exchange.ts'
import { extendScope, type Scope } from '../../../gateway/core/scope.ts'
import type { AggregateOptions } from '../options.ts'
import { type Outcome, shownOf, templateValue } from '../outcome.ts'
import type { Expression } from '../shape/expression.ts'
import { compileTransform } from '../shape/transform.ts'
import { type Layout, writeDocument } from './layout.ts'
import { compositionFields, isComplete } from './status.ts'
import { compileBody } from './template-body.ts'
import { Views } from './views.ts'

type Json = Uint8Array<ArrayBuffer>

/** Writes the whole answer. */
export type Write = (outcomes: readonly Outcome[], exchange: Exchange) => Json | Promise<Json>

/** Compiles how the answer is written: one key per part, or as its template says. */
export function compileWrite({ body, transform }: AggregateOptions, layout: Layout, clock: Clock): Write {
  if (body !== undefined) {
    const write = compileBody(body)
    return (outcomes, { scope }) => write(scopeOf(outcomes, scope), new Views(outcomes)) ?? NULL
  }
  const document = (outcomes: readonly Outcome[]) => writeDocument(layout, outcomes, isComplete(outcomes))
  return transform ? transformed(transform, document, clock) : document
}

/** Largest answer that a transform may make. */
const MAX_TRANSFORMED_BYTES = 8_388_608

function transformed(expression: Expression, document: (outcomes: readonly Outcome[]) => Json, clock: Clock): Write {
  const transform = compileTransform(expression, clock)
  return (outcomes, { record }) => {
    const bounds = {
      maxBytes: MAX_TRANSFORMED_BYTES,
      fail(cause: string) {
        record.cause = `the transform failed: ${cause}`
        const detail = 'The answer could not be made of the replies'
        return new GatewayError('upstream-invalid-response', { detail, headers: compositionFields(outcomes) })
      },
    }
    return transform(document(outcomes), bounds, givenTo(expression, outcomes))
  }
}

/** Copies: an expression never works on what others read. */
function givenTo({ given }: Expression, outcomes: readonly Outcome[]): Record<string, unknown> {
  const parts = outcomes.flatMap((outcome) => {
    const shown = given.has('parts') ? shownOf(outcome) : undefined
    if (!shown) return []
    const body: unknown = JSON.parse(new TextDecoder().decode(shown.json))
    const status = outcome.kind === 'ok' ? outcome.reply.status : undefined
    return [[outcome.part, { body, ...(status !== undefined && { status }) }]]
  })
  return { parts: Object.fromEntries(parts), composition: compositionOf(outcomes) }
}

function compositionOf(outcomes: readonly Outcome[]) {
  return {
    complete: isComplete(outcomes),
    missing: outcomes.flatMap(({ kind, part }) => (kind === 'ok' || kind === 'skipped' ? [] : [part])),
  }
}

const NULL = new TextEncoder().encode('null')

function scopeOf(outcomes: readonly Outcome[], scope: Scope): Scope {
  return extendScope(scope, {
    parts: Object.fromEntries(outcomes.map((outcome) => [outcome.part, templateValue(outcome)])),
    composition: compositionOf(outcomes),
  })
}
