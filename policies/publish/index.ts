import { z } from 'zod'
import { bytes, template } from '../../gateway/config/fields.ts'
import { GatewayError } from '../../gateway/core/errors.ts'
import type { Intent } from '../../gateway/core/events.ts'
import type { Exchange } from '../../gateway/core/exchange.ts'
import { definePolicy } from '../../gateway/core/policy.ts'
import { buildEvent, readsBody } from './event.ts'
import { judge, type Outcome, outcomeOfFailure } from './outcome.ts'
import { readReply } from './reply.ts'

/** AMQP 0-9-1 carries names in one length byte. */
const shortText = z.string().min(1).max(255)

const options = z.strictObject({
  type: shortText.describe('Type of the event, such as "order.placed"'),
  exchange: shortText.describe('Exchange of the broker the event goes to'),
  'routing-key': shortText.optional().describe('Routing key of the message; the type when left out'),
  source: shortText.optional().describe('Source of the event; urn:sluice:route:<route> when left out'),
  subject: template
    .optional()
    .describe('What the event is about, such as "{response.body.id}"; events of one subject keep their order'),
  data: template
    .prefault('{response.body}')
    .describe('Data of the event; one reference and nothing else keeps its JSON type'),
  'max-body': bytes.prefault('256KiB').describe('Largest response body that is read to build the event'),
})

/** Announces what the upstream has accepted: an event is published if and only if the answer was a 2xx. */
export default definePolicy({
  name: 'publish',
  at: 'route',
  announces: true,
  exchanges: ({ exchange }) => [exchange],
  reads: ['response'],
  options,

  create(settings, { clock, events, log }, { owner }) {
    const { type, exchange: broker, 'routing-key': routingKey = type, 'max-body': maxBytes } = settings
    const source = settings.source ?? `urn:sluice:route:${owner}`
    const needsBody = readsBody(settings)

    return async function publish(exchange, next) {
      // A body that never arrives must leave no intent behind: strangers could fill the outbox with them.
      await exchange.body.bytes()
      const intent = await intend(exchange)
      // An answer the gateway cannot read is an event it cannot build.
      if (needsBody) exchange.outgoing.set('accept-encoding', 'identity')
      // The client may leave before the outcome is known; the note of it must be finished all the same.
      const work = callAndSettle(exchange, next, intent)
      exchange.waitUntil(work.catch(() => {}))
      return work
    }

    async function callAndSettle(exchange: Exchange, next: () => Promise<Response>, intent: Intent): Promise<Response> {
      let response: Response
      try {
        response = await next()
      } catch (error) {
        await settle(exchange, intent, outcomeOfFailure(error, exchange.record.calls))
        throw error
      }
      const outcome = judge(response.status, exchange.record)
      if (outcome.kind !== 'accepted' || !needsBody) {
        await settle(exchange, intent, outcome, { response, body: undefined })
        return response
      }
      const reply = await readReply(response, maxBytes, exchange.signal)
      if ('failure' in reply) await settle(exchange, intent, { kind: 'unknown', reason: reply.failure })
      else await settle(exchange, intent, outcome, { response, body: reply.body })
      return reply.response
    }

    /** Never throws: what the upstream has answered stands, and the durable intent lets recovery settle the rest. */
    async function settle(exchange: Exchange, intent: Intent, outcome: Outcome, reply?: Reply): Promise<void> {
      const facts = { id: exchange.id, route: exchange.route, event: intent.id }
      exchange.record.policies.publish = { event: intent.id, outcome: outcome.kind }
      try {
        if (outcome.kind === 'rejected') return await intent.reject()
        if (outcome.kind === 'unknown' || !reply) {
          const reason = outcome.kind === 'unknown' ? outcome.reason : 'no response'
          log.error('It is not known whether an event is due', { ...facts, reason })
          return await intent.unknown(reason)
        }
        const time = new Date(clock.now()).toISOString()
        const event = buildEvent(settings, exchange, reply, { id: intent.id, source, type, time })
        await intent.commit(event, { exchange: broker, routingKey })
      } catch (error) {
        log.error('Cannot note the outcome of an intent', { ...facts, outcome: outcome.kind, reason: String(error) })
      }
    }

    async function intend({ route, request, path, search, trace }: Exchange): Promise<Intent> {
      const idempotencyKey = request.headers.get('idempotency-key')
      try {
        return await events.intend({
          route,
          method: request.method,
          path: path + search,
          traceparent: trace.traceparent,
          ...(idempotencyKey === null ? {} : { idempotencyKey }),
        })
      } catch (cause) {
        if (cause instanceof GatewayError) throw cause
        throw new GatewayError('overloaded', { headers: { 'retry-after': '5' }, cause })
      }
    }
  },
})

interface Reply {
  readonly response: Response
  readonly body: unknown
}
