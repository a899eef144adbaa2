import type { CloudEvent } from '../../gateway/core/events.ts'
import type { Exchange } from '../../gateway/core/exchange.ts'
import { extendScope } from '../../gateway/core/scope.ts'
import type { Template } from '../../gateway/core/template.ts'

interface EventTemplates {
  readonly subject?: Template | undefined
  readonly data: Template
}

/** True when a template reads the body of the response, so that it must be JSON and is held back until read. */
export function readsBody({ subject, data }: EventTemplates): boolean {
  return [...(subject?.references ?? []), ...data.references].some(
    ({ root, path }) => root === 'response' && (path.length === 0 || path[0] === 'body'),
  )
}

/** Builds the event of an accepted request. A subject that comes out empty is left out, as CloudEvents asks. */
export function buildEvent(
  { subject: subjectTemplate, data }: EventTemplates,
  { scope, trace }: Exchange,
  { response: { status, headers }, body }: { readonly response: Response; readonly body: unknown },
  attributes: Pick<CloudEvent, 'id' | 'source' | 'type' | 'time'>,
): CloudEvent {
  const full = extendScope(scope, { response: { status, headers: Object.fromEntries(headers), body } })
  const subject = subjectTemplate?.text(full) ?? ''
  return {
    ...attributes,
    ...(subject === '' ? {} : { subject }),
    data: data.value(full) ?? null,
    traceparent: trace.traceparent,
  }
}
