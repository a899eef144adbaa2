import { digest } from './digest.ts'
import type { EventSchema } from './event-schema.ts'
import type { CloudEvent, EventAddress, EventRecipe } from './events.ts'
import { recordedScope } from './recorded-scope.ts'
import { parseTemplate, type Template } from './template.ts'

/** The templates of a recipe, parsed. */
export interface EventTemplates {
  readonly subject?: Template | undefined
  readonly data: Template
}

/** What an upstream said that it accepted; `body` is its JSON, when a template reads it. */
export interface AcceptedReply {
  readonly response: Response
  readonly body: unknown
}

/** What a recipe does not hold. */
export interface EventFacts {
  /** Of the intent. */
  readonly id: string
  /** When the event was built, in milliseconds since the Unix epoch. */
  readonly nowMs: number
  readonly traceparent?: string | undefined
  readonly tracestate?: string | undefined
}

/** The templates of a stored recipe. */
export function templatesOf({ subject, data }: EventRecipe): EventTemplates {
  return { subject: subject === undefined ? undefined : parseTemplate(subject), data: parseTemplate(data) }
}

/** True when a template reads the body of the response, so that it must be JSON. */
export function readsBody({ subject, data }: EventTemplates): boolean {
  return [...(subject?.references ?? []), ...data.references].some(
    ({ root, path }) => root === 'response' && (path.length === 0 || path[0] === 'body'),
  )
}

/** Where the events of a recipe go. */
export function addressOf({ exchange, routingKey }: EventRecipe): EventAddress {
  return { exchange, routingKey }
}

/** Builds the event of an accepted request. A subject that comes out empty is left out, as CloudEvents asks. */
export async function buildEvent(
  recipe: EventRecipe & { readonly templates?: EventTemplates },
  { response, body }: AcceptedReply,
  { id, nowMs, traceparent, tracestate }: EventFacts,
): Promise<CloudEvent> {
  const { type, source, values, identity, templates = templatesOf(recipe) } = recipe
  const headers = Object.fromEntries(response.headers)
  const scope = recordedScope(values, { status: response.status, headers, body })
  const subject = templates.subject?.text(scope) ?? ''
  const data = templates.data.value(scope) ?? null
  return {
    id: identity === undefined ? id : await derivedId(identity, subject, data),
    source,
    type,
    ...(subject === '' ? {} : { subject }),
    time: new Date(nowMs).toISOString(),
    data,
    ...(traceparent === undefined ? {} : { traceparent }),
    ...(tracestate === undefined ? {} : { tracestate }),
  }
}

/** The event, with the name of the schema that its data fits. */
export function namingSchema(event: CloudEvent, schema: EventSchema | undefined): CloudEvent {
  return schema?.id === undefined ? event : { ...event, dataschema: schema.id }
}

/** What makes two events of one command the same: where they come from, who asked, and the key of the command. */
export function identityOf(given: {
  readonly source: string
  readonly type: string
  readonly caller: string | undefined
  readonly key: string
}): string {
  const { source, type, caller, key } = given
  return JSON.stringify([source, type, caller ?? null, key])
}

const ID_DIGITS = 32

/**
 * The id of an event, the same whoever builds it. The subject tells two apart whose clients happen to use one key; without
 * one, what the event says does.
 */
export async function derivedId(identity: string, subject: string, data: unknown): Promise<string> {
  const about = subject === '' ? ['data', canonical(data)] : ['subject', subject]
  return (await digest([identity, ...about])).slice(0, ID_DIGITS)
}

/** The same JSON for the same data, whatever the order of its keys. */
function canonical(data: unknown): string {
  return JSON.stringify(data, (_, value: unknown) => {
    if (value === null || typeof value !== 'object' || Array.isArray(value)) return value
    return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
  })
}
