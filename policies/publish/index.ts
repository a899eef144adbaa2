import { GatewayError } from '../../gateway/core/errors.ts'
import { type AcceptedReply, addressOf, buildEvent, namingSchema, readsBody } from '../../gateway/core/event-recipe.ts'
import type { Intent, IntentDraft } from '../../gateway/core/events.ts'
import type { Exchange } from '../../gateway/core/exchange.ts'
import { definePolicy } from '../../gateway/core/policy.ts'
import { createDrafting, type Draft } from './draft.ts'
import { contradictions, options } from './options.ts'
import { judge, type Outcome, outcomeOfFailure } from './outcome.ts'
import { readReply } from './reply.ts'

/** Announces what the upstream has accepted: an event is published if and only if the answer was a 2xx. */
export default definePolicy({
  name: 'publish',
  at: 'route',
  announces: true,
  publishesTo: ({ type, exchange, 'routing-key': routingKey }) => ({
    exchange,
    exchangeOption: 'exchange',
    routingKey: routingKey ?? type,
    routingKeyOption: routingKey === undefined ? 'type' : 'routing-key',
  }),
  reads: ['response'],
  options,
  check: contradictions,

  create(settings, { clock, createId, events, log }, site) {
    const { 'max-body': maxBytes } = settings
    const needsBody = readsBody(settings)
    const draftOf = createDrafting(settings, site, createId)
    const schema = site.eventSchema?.(settings.type)

    return async function publish(exchange, next) {
      // A body that never arrives must leave no intent behind: strangers could fill the outbox with them.
      await exchange.body.bytes()
      const draft = await draftOf(exchange)
      const intent = await intend(draft.intent)
      if (exchange.request.headers.has('idempotency-key')) exchange.record.lateNote = ASK_AGAIN
      // The client may leave before the outcome is known; the note of it must be finished all the same.
      const work = callAndSettle(exchange, next, { ...draft, intent })
      exchange.waitUntil(work.catch(() => {}))
      return work
    }

    async function callAndSettle(exchange: Exchange, next: () => Promise<Response>, noted: Noted): Promise<Response> {
      let response: Response
      try {
        response = await call(next)
      } catch (error) {
        await settle(exchange, noted, outcomeOfFailure(error, exchange.record.calls))
        throw error
      }
      const outcome = judge(response.status, exchange.record)
      if (outcome.kind !== 'accepted' || !needsBody) {
        await settle(exchange, noted, outcome, { response, body: undefined })
        return response
      }
      const reply = await readReply(response, maxBytes, exchange.signal)
      if ('failure' in reply) await settle(exchange, noted, { kind: 'unknown', reason: reply.failure })
      else await settle(exchange, noted, outcome, { response, body: reply.body })
      return reply.response
    }

    async function call(next: () => Promise<Response>): Promise<Response> {
      if (!events.onStep) return next()
      const answering = next()
      answering.catch(() => {})
      await events.onStep('during-upstream-call')
      return answering
    }

    /** Never throws: what the upstream has answered stands, and the durable intent lets recovery settle the rest. */
    async function settle(exchange: Exchange, noted: Noted, outcome: Outcome, reply?: AcceptedReply): Promise<void> {
      const { intent, recipe } = noted
      const facts = { id: exchange.id, route: exchange.route, event: intent.id }
      exchange.record.policies.publish = { event: intent.id, outcome: outcome.kind }
      try {
        await events.onStep?.('after-reply')
        if (outcome.kind === 'rejected') return await intent.reject()
        if (outcome.kind === 'unknown' || !reply) {
          const reason = outcome.kind === 'unknown' ? outcome.reason : 'no response'
          log.warn('It is not known whether an event is due', { ...facts, reason })
          return await intent.unknown(reason)
        }
        const event = await buildEvent(recipe, reply, { id: intent.id, nowMs: clock.now(), ...exchange.trace })
        const misfit = schema?.misfit(event.data)
        if (misfit === undefined) return await intent.commit(namingSchema(event, schema), addressOf(recipe))
        log.error('Parked an event', { ...facts, type: event.type, subject: event.subject, reason: misfit })
        exchange.record.policies.publish = { event: intent.id, outcome: 'withheld' }
        await intent.withhold(event, addressOf(recipe), misfit)
      } catch (error) {
        log.error('Cannot note the outcome of an intent', { ...facts, outcome: outcome.kind, reason: String(error) })
      }
    }

    async function intend(draft: IntentDraft): Promise<Intent> {
      try {
        return await events.intend(draft)
      } catch (cause) {
        if (cause instanceof GatewayError) throw cause
        throw new GatewayError('overloaded', { headers: { 'retry-after': '5' }, cause })
      }
    }
  },
})

/** Only with a key is asking again safe. */
const ASK_AGAIN = 'The request may have taken effect: asking again with the same Idempotency-Key tells'

/** A draft that is durable. */
interface Noted extends Pick<Draft, 'recipe'> {
  readonly intent: Intent
}
