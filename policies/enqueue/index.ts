import { GatewayError } from '../../gateway/core/errors.ts'
import type { EventStatus, IntentDraft } from '../../gateway/core/events.ts'
import type { Exchange } from '../../gateway/core/exchange.ts'
import { principal } from '../../gateway/core/keys.ts'
import { definePolicy } from '../../gateway/core/policy.ts'
import { extendScope } from '../../gateway/core/scope.ts'
import { commandId, readCommand } from './command.ts'
import { options, siteMistakes } from './options.ts'

/** Answers 202 with the address of a status once the command is durable, and leaves the work to whoever reads the queue. */
export default definePolicy({
  name: 'enqueue',
  at: 'route',
  ends: true,
  announces: true,
  reads: ['command'],
  options,
  publishesTo: ({ type, exchange, 'routing-key': routingKey }) => ({
    exchange,
    exchangeOption: 'exchange',
    routingKey: routingKey ?? type,
    routingKeyOption: routingKey === undefined ? 'type' : 'routing-key',
  }),
  links: (given) => [
    { path: ['status-path'], address: given['status-path'], policy: 'command-status', carries: 'command.id' },
  ],
  check: siteMistakes,

  create(given, { clock, createId, events }, { owner, eventSchema }) {
    const { type, exchange: broker, 'routing-key': routingKey = type, 'status-path': statusPath } = given
    const source = given.source ?? `urn:sluice:route:${owner}`

    const schema = eventSchema?.(type)
    const dataschema = schema?.id === undefined ? {} : { dataschema: schema.id }

    return async function enqueue(exchange) {
      // A body that never arrives must leave nothing behind.
      await exchange.body.bytes()
      const command = { type, source, ...dataschema, ...readCommand(given, schema, exchange) }
      const id = await commandId(command, exchange, createId)
      const href = statusPath.path(extendScope(exchange.scope, { command: { id } }))
      const time = new Date(clock.now()).toISOString()
      const accepting = accept({ ...command, id, time, ...traceOf(exchange) }, exchange)
      // The client may leave while the command is being written; it is accepted all the same.
      exchange.waitUntil(accepting.catch(() => {}))
      const known = await accepting
      exchange.record.policies.enqueue = { event: id, outcome: known ? 'repeated' : 'accepted' }
      const headers = { location: href, 'content-type': 'application/json', 'cache-control': 'no-store' }
      return Response.json({ id, status: known?.state ?? 'accepted', href }, { status: 202, headers })
    }

    /** Resolves once the command is durable, with what is known of it when it was accepted before. */
    async function accept(event: Parameters<typeof events.accept>[0], exchange: Exchange) {
      const draft = toDraft(exchange)
      try {
        const known: EventStatus | undefined = draft.idempotencyKey ? await events.status(event.id) : undefined
        if (!known) await events.accept(event, { exchange: broker, routingKey }, draft)
        return known
      } catch (cause) {
        if (cause instanceof GatewayError) throw cause
        throw new GatewayError('overloaded', { headers: { 'retry-after': '5' }, cause })
      }
    }
  },
})

function traceOf({ trace: { traceparent, tracestate } }: Exchange) {
  return { traceparent, ...(tracestate === undefined ? {} : { tracestate }) }
}

function toDraft(exchange: Exchange): IntentDraft {
  const { route, request, path, search, trace } = exchange
  const idempotencyKey = request.headers.get('idempotency-key')
  const caller = exchange.get(principal)?.id
  return {
    route,
    method: request.method,
    path: path + search,
    traceparent: trace.traceparent,
    ...(idempotencyKey === null ? {} : { idempotencyKey }),
    ...(caller === undefined ? {} : { caller }),
  }
}
