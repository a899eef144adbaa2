import { toBase64 } from '../../gateway/core/base64.ts'
import { type EventTemplates, identityOf, readsBody } from '../../gateway/core/event-recipe.ts'
import type { EventRecipe, IntentDraft, Settlement } from '../../gateway/core/events.ts'
import type { Exchange } from '../../gateway/core/exchange.ts'
import type { Forwarded, RouteSite } from '../../gateway/core/policy.ts'
import { recordValues } from '../../gateway/core/recorded-scope.ts'
import type { Scope } from '../../gateway/core/scope.ts'
import { fieldsToKeep } from './kept-fields.ts'
import type { PublishOptions } from './options.ts'

/** What is known of a request before the upstream is asked: for the outbox, and for building the event. */
export interface Draft {
  readonly intent: IntentDraft
  readonly recipe: EventRecipe & { readonly templates: EventTemplates }
}

const KEY = 'idempotency-key'

/** Prepares the drafting of intents at one place. A drafted exchange goes upstream with an `Idempotency-Key` and, when its reply is to be read, asks for no encoding. */
export function createDrafting(given: PublishOptions, site: RouteSite, createId: () => string) {
  const { type, exchange: broker, 'routing-key': routingKey = type, 'max-body': maxBody, settle, probe } = given
  const source = given.source ?? `urn:sluice:route:${site.owner}`
  const templates: EventTemplates = { subject: given.subject, data: given.data }
  const references = [...(given.subject?.references ?? []), ...given.data.references]
  const isRead = readsBody(templates)
  const keep = fieldsToKeep(given['settle-headers'])

  return async function draft(exchange: Exchange): Promise<Draft> {
    if (isRead) exchange.outgoing.set('accept-encoding', 'identity')
    const asked = site.forward?.(exchange)
    const headers = asked?.headers ?? new Headers()
    exchange.outgoing.applyTo(headers)
    const sent = headers.get(KEY) || undefined
    // A key of the gateway's own lets it ask again although the client cannot.
    const key = sent ?? (settle === 'park' ? undefined : createId())
    if (key !== undefined && sent === undefined) {
      exchange.outgoing.set(KEY, key)
      headers.set(KEY, key)
    }
    const caller = exchange.scope.clientId
    const recipe = {
      type,
      source,
      exchange: broker,
      routingKey,
      ...(given.subject && { subject: given.subject.source }),
      data: given.data.source,
      values: recordValues(references, exchange.scope),
      maxBody,
      ...(sent === undefined ? {} : { identity: identityOf({ source, type, caller, key: sent }) }),
    }
    const { route, request, path, search, trace } = exchange
    const intent: IntentDraft = {
      route,
      method: request.method,
      path: path + search,
      traceparent: trace.traceparent,
      ...(key === undefined ? {} : { idempotencyKey: key }),
      ...(caller === undefined ? {} : { caller }),
      ...(asked && settle !== 'park' ? await settlementOf(exchange, asked, recipe) : {}),
    }
    return { intent, recipe: { ...recipe, templates } }
  }

  async function settlementOf(
    exchange: Exchange,
    { method, path, headers }: Forwarded,
    recipe: EventRecipe,
  ): Promise<Pick<IntentDraft, 'settlement' | 'cannotSettle'>> {
    const valueBytes = references.length === 0 ? 0 : JSON.stringify(recipe.values).length
    if (valueBytes > given['settle-max-body']) {
      return tooLarge('what the event needs of the request takes', valueBytes)
    }
    const common = { upstream: site.upstream ?? '', withinMs: given['settle-within'], recipe }
    if (probe) {
      const probePath = pathOfProbe(exchange.scope, headers.get(KEY) ?? '')
      if (probePath === undefined) return { cannotSettle: 'the request has not what the path of the probe needs' }
      const request = { method: 'GET', path: probePath, headers: keep(exchange, headers, false) }
      return { settlement: { mode: 'probe', ...common, request } satisfies Settlement }
    }
    const body = await exchange.body.bytes()
    if (body.byteLength > given['settle-max-body']) return tooLarge('the request body has', body.byteLength)
    const bodyField = body.byteLength === 0 ? {} : { body: toBase64(body) }
    const request = { method, path, headers: keep(exchange, headers, body.byteLength > 0), ...bodyField }
    return { settlement: { mode: 'replay', ...common, request } satisfies Settlement }
  }

  function tooLarge(what: string, bytes: number): Pick<IntentDraft, 'cannotSettle'> {
    return { cannotSettle: `${what} ${bytes} bytes, and settle-max-body keeps ${given['settle-max-body']}` }
  }

  /** The key is what went upstream, whoever made it up. */
  function pathOfProbe(scope: Scope, key: string): string | undefined {
    const header = (name: string) => (name === KEY ? key : scope.header(name))
    try {
      return probe?.path(Object.assign(Object.create(scope), { header }))
    } catch {
      return undefined
    }
  }
}
